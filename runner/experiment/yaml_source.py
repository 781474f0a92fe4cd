"""YAML with line numbers, so that every mistake in a file that a person wrote is reported where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from history.errors import ConfigError

Key = str | int
Keys = Sequence[Key]
DEEPEST = 100  # levels of nesting; no experiment needs a tenth of it, and a parser of recursive functions ends at some thousand


@dataclass(frozen=True, slots=True)
class Located:
    """A YAML file as plain data (as Chaos Toolkit reads it), and where each key stands."""

    path: Path
    data: dict[str, Any]
    _root: yaml.Node

    def line(self, keys: Keys) -> int:
        """Return the line (from 1) of the innermost part of ``keys`` that is there."""
        node, line = self._root, 1
        for key in keys:
            found = _step(node, key)
            if found is None:
                break
            line, node = found
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
        root, data = _parsed(path.read_text())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"{path}:{mark.line + 1 if mark else 1}: not valid YAML: {_one_line(error.problem)}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}:1: cannot be read: {_one_line(str(error))}") from error
    if root is None or not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError(f"{path}:1: expected a mapping with title, method and so on, found {_kind(data)}; see experiments/ for examples")
    return Located(path, data, root)


def _parsed(text: str) -> tuple[yaml.Node | None, Any]:
    """Return the tree and the data of a YAML text; libyaml does the work. Raises YAMLError, ValueError."""
    _check_depth(text)
    loader = yaml.CSafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, None
        _check_keys(root)
        return root, loader.construct_document(root)
    finally:
        loader.dispose()


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"more than {DEEPEST} levels of nesting", problem_mark=_mark(event))


def _mark(event: yaml.Event) -> Any:  # noqa: ANN401 - libyaml's marks have the fields of PyYAML's, but not their type
    return event.start_mark


def _check_keys(root: yaml.Node) -> None:
    """Refuse a key that stands twice in one mapping: the later one would silently win."""
    for node in _nodes(root):
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise yaml.MarkedYAMLError(problem=f"found duplicate key {key.value!r}", problem_mark=key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                seen.add((key.tag, key.value))


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Yield every node once, also one that many aliases point to."""
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        yield node
        children = node.value if isinstance(node, yaml.SequenceNode) else ()
        if isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        for child in children:
            if id(child) not in seen:
                seen.add(id(child))
                waiting.append(child)


def _step(node: yaml.Node, key: Key) -> tuple[int, yaml.Node] | None:
    """Return the line of ``key`` in ``node`` and what stands there."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                return name.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line + 1, node.value[key]
    return None


def _one_line(text: str | None) -> str:
    return " ".join((text or "unknown problem").split())


def _kind(data: object) -> str:
    return "nothing" if data is None else f"a {type(data).__name__}"
