"""What a run left besides its numbers: the texts of errors, and files that were kept before anything was healed."""

from __future__ import annotations

from history.values import FrozenModel


class ErrorSeen(FrozenModel):
    """One error text, how often, and its first occurrence (``first_s`` null: not found in the record)."""

    text: str
    count: int
    first_s: float | None


class SceneFile(FrozenModel):
    """A file that was kept before anything was healed, its path relative to the run folder."""

    path: str
    bytes: int


class LogExcerpt(FrozenModel):
    """Lines of a kept log around its first error; ``first_line`` counts from 1."""

    path: str
    first_line: int
    lines: tuple[str, ...]
