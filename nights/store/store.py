"""What a place that keeps nights must do: four operations on named pieces of bytes."""

from __future__ import annotations

from typing import Protocol


class Store(Protocol):
    """Named pieces of bytes; names are parts joined by ``/``. Each operation raises NightsError where the place is out of reach."""

    @property
    def place(self) -> str:
        """Return where it is, as a person wrote it."""
        ...

    def names(self, below: str) -> list[str]:
        """Return the names of all pieces below ``below/``, sorted; none: there is nothing."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return a piece; ``None``: there is none of that name."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a piece, whole or not at all, over an older one of that name."""
        ...

    def delete(self, name: str) -> None:
        """Take a piece away; it need not be there."""
        ...
