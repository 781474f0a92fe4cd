"""``waivers.yaml``: known FAILs as people write them down; every mistake has file and line."""

from __future__ import annotations

from pathlib import Path

from nights.waivers import Waivers
from target.mistakes import parse
from target.yaml_source import read_located

EXAMPLE = "docs/nights.md"


def read_waivers(path: Path) -> Waivers:
    """Return the waivers of a file. Raises ConfigError: it is wrong."""
    located = read_located(path, EXAMPLE)
    return parse(located, Waivers, located.data)
