"""A text that is never longer than a limit, and says what was cut from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verdict.words import count


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of a text. The first ``head`` of them say nothing without one more: a heading, the first row of a table."""

    name: str  # what the sentence on what was cut calls it
    lines: Sequence[str]
    head: int = 1


@dataclass(slots=True)
class _Room:
    left_bytes: int
    left_lines: int

    def take(self, lines: Sequence[str]) -> bool:
        """Take the room of ``lines``, if there is that much."""
        size = sum(len(line.encode()) + 1 for line in lines)
        if size > self.left_bytes or len(lines) > self.left_lines:
            return False
        self.left_bytes, self.left_lines = self.left_bytes - size, self.left_lines - len(lines)
        return True


def shortened(first: Sequence[str], parts: Sequence[Part], last: Sequence[str], *, most_bytes: int, most_lines: int, whole: str) -> str:
    """Return the lines of all parts as one text of at most ``most_bytes`` (UTF-8) and ``most_lines``; ``first`` and ``last`` always stay.

    Where something is cut, a sentence before ``last`` says how much of which part, and that ``whole`` has it.
    """
    wanted = [part for part in parts if part.lines]
    room = _Room(most_bytes, most_lines)
    if room.take([*first, *(line for part in wanted for line in part.lines), *last]):
        return "\n".join([*first, *(line for part in wanted for line in part.lines), *last]) + "\n"
    room = _Room(most_bytes, most_lines)
    room.take([*first, "", _sentence({part.name: len(part.lines) for part in wanted}, whole), *last])
    kept: list[str] = []
    cut: dict[str, int] = {}
    for part in wanted:
        found = _that_fit(part, room)
        kept += found
        if len(found) < len(part.lines):
            cut[part.name] = len(part.lines) - len(found)
    return "\n".join([*first, *kept, "", _sentence(cut, whole), *last]) + "\n"


def _that_fit(part: Part, room: _Room) -> list[str]:
    start = part.head + 1
    if not room.take(part.lines[:start]):
        return []
    found = list(part.lines[:start])
    for line in part.lines[start:]:
        if not room.take([line]):
            break
        found.append(line)
    return found


def _sentence(cut: dict[str, int], whole: str) -> str:
    told = ", ".join(f"{count(lines, 'line')} of {name}" for name, lines in cut.items())
    return f"Cut, to be short: {told}. {whole} has all of it."
