"""YAML with comments, line by line: values are written by PyYAML, comments are wrapped and never break out of theirs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import yaml

WIDTH = 140
STEP = 2
BECAUSE, DECIDE, QUESTION = "because", "DECIDE", "QUESTION"
"""How a comment begins: why something is written; what only a person can say; what could not be found."""


class Page:
    """Lines of a file as they are written, at a depth that :meth:`under` changes. ``asked``: how many comments a person must answer."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0
        self.asked = {DECIDE: 0, QUESTION: 0}

    def key(self, name: str, value: object, because: str = "") -> None:
        """Write a key with its value in one line, and above it why."""
        if because:
            self.because(because)
        self._line(f"{_value(name)}: {_value(value)}")

    @contextmanager
    def under(self, name: str) -> Iterator[None]:
        """Write a key whose value follows, deeper."""
        self._line(f"{_value(name)}:")
        self._depth += STEP
        yield
        self._depth -= STEP

    def item(self, value: object) -> None:
        """Write an item of a list."""
        self._line(f"- {_value(value)}")

    def because(self, text: str) -> None:
        """Write why what follows is written."""
        self.comment(f"{BECAUSE} {text}")

    def decide(self, text: str) -> None:
        """Write what a person decides."""
        self.asked[DECIDE] += 1
        self.comment(f"{DECIDE}: {text}")

    def question(self, text: str) -> None:
        """Write what could not be found."""
        self.asked[QUESTION] += 1
        self.comment(f"{QUESTION}: {text}")

    def comment(self, text: str) -> None:
        """Write a comment, over as many lines as it takes."""
        room = WIDTH - self._depth - 2
        for line in textwrap.wrap(_one_line(text), room, break_long_words=False, break_on_hyphens=False) or [""]:
            self._line(f"# {line}".rstrip())

    def aside(self, lines: Iterable[str]) -> None:
        """Write lines of YAML as they stand, as a comment: to be taken in by whoever knows what is missing."""
        for line in lines:
            self._line(f"#   {printable(line)}".rstrip())

    def gap(self) -> None:
        """Write an empty line."""
        self._lines.append("")

    def text(self) -> str:
        """Return what was written."""
        return "\n".join(self._lines) + "\n"

    def _line(self, text: str) -> None:
        self._lines.append(" " * self._depth + text)


def printable(text: str) -> str:
    """Return a text of a cluster without what could end a comment or deceive a reader: control characters."""
    return "".join(char if char.isprintable() else " " for char in text)


def flow(value: object) -> str:
    """Return a value as YAML in one line."""
    return _value(value)


def _one_line(text: str) -> str:
    return " ".join(printable(text).split())


def _value(value: object) -> str:
    """Return a value in one line; PyYAML wraps nothing that stands in a list."""
    dumped: str = yaml.safe_dump([value], default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return dumped.strip()[1:-1]
