"""YAML with line numbers, so that every mistake in a file that a person wrote is reported where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from history.errors import ConfigError

Key = str | int
Keys = Sequence[Key]


@dataclass(frozen=True, slots=True)
class Located:
    """A YAML file as plain data (as Chaos Toolkit reads it), and where each key stands."""

    path: Path
    data: dict[str, Any]
    _tree: Any

    def line(self, keys: Keys) -> int:
        """Return the line (from 1) of the innermost part of ``keys`` that is there."""
        node, line = self._tree, 1
        for key in keys:
            here = _line_in(node, key)
            if here is None:
                break
            line, node = here, node[key]
        return line

    def error(self, keys: Keys, sentence: str) -> ConfigError:
        """Return the error ``file:line: sentence``."""
        return ConfigError(f"{self.path}:{self.line(keys)}: {sentence}")


def read_located(path: Path) -> Located:
    """Read one YAML mapping.

    Raises:
        ConfigError: unreadable, no YAML, a key twice, or no mapping; with file and line.

    """
    try:
        text = path.read_text()
        tree, data = YAML().load(text), yaml.safe_load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"{path}:{mark.line + 1 if mark else 1}: not valid YAML: {_one_line(error.problem)}") from error
    except (OSError, UnicodeDecodeError, YAMLError, yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}:1: cannot be read: {_one_line(str(error))}") from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError(f"{path}:1: expected a mapping with title, method and so on, found {_kind(data)}; see experiments/ for examples")
    return Located(path, data, tree)


def _line_in(node: object, key: Key) -> int | None:
    if isinstance(node, CommentedMap) and key in node:
        return int(node.lc.key(key)[0]) + 1
    if isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
        return int(node.lc.item(key)[0]) + 1
    return None


def _one_line(text: str | None) -> str:
    return " ".join((text or "unknown problem").split())


def _kind(data: object) -> str:
    return "nothing" if data is None else f"a {type(data).__name__}"
