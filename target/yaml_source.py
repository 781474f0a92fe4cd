"""YAML as people write it, for target and experiment files alike, with the line of every mistake.

What YAML itself would let pass is refused here: a key written twice (the later would silently win), an anchor within itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from history.errors import ConfigError

Key = str | int
Keys = Sequence[Key]
PROJECT = Path(__file__).parents[1]
"""From where relative paths in a target file count, wherever a session is started: its runs are carried out there."""
DEEPEST = 100  # levels of nesting; no file needs a tenth of it, and a parser of recursive functions ends at some thousand
MOST = 100_000  # values, each alias counted as all that it stands for; a file of more bytes may have as many as it has bytes
UNREADABLE = (ValueError, LookupError, AttributeError)
"""What PyYAML raises for a value that is none of its kind: 2026-02-31, !!bool x, !!timestamp x."""
INT, OCTAL = "tag:yaml.org,2002:int", re.compile(r"[-+]?0[0-7_]+")  # 060 is 48
OF_KEYS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
KINDS = {"timestamp": "date", "int": "number", "float": "number", "bool": "truth value"}


@dataclass(frozen=True, slots=True)
class Located:
    """A YAML file as plain data (as Chaos Toolkit reads it), and where each key stands."""

    path: Path
    data: dict[str, Any]
    root: yaml.Node

    def written(self, keys: Keys) -> Keys:
        """Return ``keys`` of the data as the file spells them."""
        return keys

    def line(self, keys: Keys) -> int:
        """Return the line (from 1) of the innermost part of ``keys`` that is there."""
        node, line = self.root, 1
        for key in keys:
            found = _step(node, key)
            if found is None:
                break
            line, node = found
        return line

    def error(self, keys: Keys, sentence: str) -> ConfigError:
        """Return the error ``file:line: sentence``."""
        return ConfigError(f"{self.path}:{self.line(keys)}: {sentence}")


def read_located(path: Path, example: str) -> Located:
    """Read one YAML mapping; ``example`` is what a refusal points to.

    Raises:
        ConfigError: unreadable, no UTF-8, no YAML, a key twice, or no mapping; with file and line.

    """
    root, data = _parsed(path, _bytes(path, example))
    if root is None or not isinstance(data, dict):
        raise ConfigError(f"{path}:1: expected a mapping of names to values, found {_kind(data)}; {example} is an example")
    for name, _ in root.value:
        if name.tag not in OF_KEYS:
            sentence = "is no text to YAML, which reads yes, no, on and off as truth values; put it in quotes"
            raise ConfigError(f"{path}:{name.start_mark.line + 1}: the key {name.value!r} {sentence}")
    return Located(path, data, root)


def _bytes(path: Path, example: str) -> bytes:
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}:1: cannot be read: {error}; {example} is an example") from error
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        sentence = f"not UTF-8, the byte {raw[error.start]:#04x} has no meaning there; save the file as UTF-8"
        raise ConfigError(f"{path}:{_line(raw, error.start)}: {sentence}") from error
    return raw


def _parsed(path: Path, raw: bytes) -> tuple[yaml.Node | None, Any]:
    """Return the tree and the data of a YAML text; libyaml does the work."""
    try:
        _check_depth(raw)
        loader = _Loader(raw)
        try:
            root = loader.get_single_node()
            if root is None:
                return None, None
            _check_keys(root, max(MOST, len(raw)))
            return root, loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = min(mark.line + 1, len(raw.splitlines())) if mark else 1  # the end of a file is on its last line
        sentence = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{path}:{line}: not valid YAML: {sentence}") from error
    except yaml.reader.ReaderError as error:
        sentence = f"{error.reason} (character {error.character:#x}); save the file as UTF-8"
        raise ConfigError(f"{path}:{_line(raw, error.position)}: not valid YAML: {sentence}") from error


class _Loader(yaml.CSafeLoader):
    """Libyaml's safe loader, with a place for every error."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401 - PyYAML's signature
        """Return what ``node`` stands for."""
        if node.tag == INT and OCTAL.fullmatch(node.value):
            sentence = "what stands here begins with 0 and is read to the base of 8; write it without the 0, or in quotes"
            raise yaml.MarkedYAMLError(problem=sentence, problem_mark=node.start_mark)
        try:
            return super().construct_object(node, deep)
        except UNREADABLE as error:
            kind = KINDS.get(node.tag.rpartition(":")[2], "value")
            sentence = f"what stands here is read as a {kind}, and there is no such {kind}"  # not shown: it may be a secret
            raise yaml.MarkedYAMLError(problem=sentence, problem_mark=node.start_mark) from error


def _check_depth(raw: bytes) -> None:
    depth = 0
    for event in yaml.parse(raw, yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"more than {DEEPEST} levels of nesting", problem_mark=_mark(event))


def _mark(event: yaml.Event) -> Any:  # noqa: ANN401 - libyaml's marks have the fields of PyYAML's, but not their type
    return event.start_mark


def _check_keys(root: yaml.Node, most: int) -> None:
    """Refuse a key that stands twice in one mapping: the later one would silently win."""
    for node in _nodes(root, most):
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise yaml.MarkedYAMLError(problem=f"found duplicate key {key.value!r}", problem_mark=key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                seen.add((key.tag, key.value))


def _nodes(root: yaml.Node, most: int) -> Iterator[yaml.Node]:
    """Yield every node as often as aliases name it; refuse a tree that is too deep, or has more than ``most``: only aliases do that."""
    waiting, count = [(root, 0)], 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if depth > DEEPEST or count > most:
            raise yaml.MarkedYAMLError(problem="its anchors and aliases nest without end", problem_mark=node.start_mark)
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting += [(part, depth + 1) for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(part, depth + 1) for part in node.value]


def _step(node: yaml.Node, key: Key) -> tuple[int, yaml.Node] | None:
    """Return the line of ``key`` in ``node`` and what stands there."""
    if isinstance(node, yaml.MappingNode):
        for name, value in reversed(node.value):  # what was merged into a mapping stands before its own
            if isinstance(name, yaml.ScalarNode) and name.value == str(key):
                return name.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line + 1, node.value[key]
    return None


def _line(raw: bytes, position: int) -> int:
    return raw.count(b"\n", 0, position) + 1


def _kind(data: object) -> str:
    return "nothing" if data is None else f"a {type(data).__name__}"
