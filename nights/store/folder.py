"""A folder as a store: each piece is a file, written beside its place under a name of its own and renamed.

Writers may share the folder, from several machines too: of two that write one piece the last to rename wins, whole.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from history.errors import NightsError

PART = ".part"


class FolderStore:
    """Pieces as files below ``root``, which is made when the first is written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def place(self) -> str:
        """Return the folder."""
        return str(self._root)

    def names(self, below: str) -> list[str]:
        """Return the names of all files below; what a killed writer left half-written is none."""
        with self._explained("list"):
            with suppress(FileNotFoundError):  # nothing was written yet
                os.scandir(self._root).close()  # a file, or a folder that nobody may read, is not one without pieces
            found = (path for path in (self._root / below).rglob("*") if path.is_file() and not path.name.endswith(PART))
            return sorted(path.relative_to(self._root).as_posix() for path in found)

    def read(self, name: str) -> bytes | None:
        """Return a file's content."""
        with self._explained(f"read {name} in"):
            path = self._root / name
            return path.read_bytes() if path.is_file() else None

    def write(self, name: str, content: bytes) -> None:
        """Write beside the place, bring it to the disk, then rename."""
        with self._explained(f"write {name} in"):
            path = self._root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{secrets.token_hex(8)}{PART}")
            try:
                with part.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)  # of a full disk; where it was renamed it is gone

    def delete(self, name: str) -> None:
        """Unlink a file, and the folders that are empty then."""
        with self._explained(f"delete {name} in"):
            path = self._root / name
            path.unlink(missing_ok=True)
            with suppress(OSError):  # not empty
                for folder in path.relative_to(self._root).parents[:-1]:
                    (self._root / folder).rmdir()

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NightsError(
                f"nights in {self._root}: cannot {what} this folder ({error.strerror or error}); name one that this user may read and write"
            ) from error
