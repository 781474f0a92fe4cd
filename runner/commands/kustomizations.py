"""Kustomizations of a repository at one end of a change: what each is made of, and into which namespaces it puts that.

What a kustomization names is every value and every word of its text that is the path of a file, or of a folder with a kustomization. A word
too many can only touch more claims, never fewer. Of one that is not plain YAML nobody knows what it will name: all that is below its folder
counts as named, too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import yaml

NAMES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
"""What kustomize reads in a folder: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/."""
MOVES = ("transformers", "generators", "replacements")
"""Keys by which a kustomization may put objects into other namespaces than its own."""
TEMPLATED = re.compile(r"\{\{|\$\{|\$\(|<%|\[\[")
WORD = re.compile(r"""[^\s'"\[\]{},=]+""")


@dataclass(frozen=True, slots=True)
class Kustomization:
    """One kustomization: its folder, the namespace that it sets (empty: none), and the files and folders that it names.

    ``unsure``: why nobody can say into which namespaces it puts what it builds; empty: that is known.
    """

    folder: str
    namespace: str
    named: frozenset[str]
    unsure: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where kustomizations put what a file holds: ``kept``, at least one leaves its namespace as it is; ``unsure``: why it is not known."""

    namespaces: frozenset[str] = frozenset()
    kept: bool = False
    unsure: str = ""

    @property
    def found(self) -> bool:
        """Whether any kustomization builds on it."""
        return bool(self.namespaces) or self.kept or bool(self.unsure)

    def __or__(self, other: Placed) -> Placed:
        """Return both."""
        return Placed(self.namespaces | other.namespaces, self.kept or other.kept, self.unsure or other.unsure)


def is_kustomization(path: str) -> bool:
    """Tell whether kustomize takes a file for its own."""
    return posixpath.basename(path) in NAMES


def read_all(files: Collection[str], read: Callable[[str], bytes]) -> list[Kustomization]:
    """Return every kustomization among ``files``, the paths of a repository; ``read`` gives a file's content."""
    found = [path for path in files if is_kustomization(path)]
    known = {*files, *(posixpath.dirname(path) for path in found)}
    return [_read(path, read(path).decode(errors="replace"), known) for path in found]


def _read(path: str, text: str, known: Collection[str]) -> Kustomization:
    folder = posixpath.dirname(path)
    named = _paths(folder, WORD.findall(text))
    try:
        document = yaml.load(text, yaml.CSafeLoader)
        named |= _paths(folder, _values(text))
        namespace, unsure = _namespace(document)
    except (yaml.YAMLError, ValueError):
        named |= {one for one in known if not folder or one.startswith(f"{folder}/")}
        namespace, unsure = "", "is not plain YAML (a template)"
    return Kustomization(folder, namespace, frozenset(named).intersection(known), unsure)


def _values(text: str) -> Iterator[str]:
    """Yield each value of a YAML text, quoted or not, and what is behind its first ``=``: generators take files as KEY=PATH."""
    for token in yaml.scan(text, yaml.CSafeLoader):
        if isinstance(token, yaml.ScalarToken):
            yield from (token.value, token.value.partition("=")[2])


def _paths(folder: str, words: Iterable[str]) -> set[str]:
    """Return ``words`` as paths of the repository; the root is empty."""
    found = {posixpath.normpath(posixpath.join(folder, word)) for word in words if word}
    return {"" if one == "." else one for one in found}


def _namespace(document: object) -> tuple[str, str]:
    """Return the namespace that a kustomization sets, or why that is not known."""
    if not isinstance(document, dict):
        return "", "is no mapping"
    moves = next((key for key in MOVES if document.get(key)), "")
    namespace = str(document.get("namespace") or "")
    if TEMPLATED.search(namespace):
        return "", f"sets namespace {namespace!r}, which is filled in later"
    return namespace, f"has {moves}, which may set any namespace" if moves else ""


def placed(path: str, known: Collection[Kustomization]) -> Placed:
    """Return where the kustomizations ``known`` put what the file ``path`` holds: each that builds on it, and each that builds on that."""
    found = Placed()
    for one in _above(path, "", known, frozenset()):
        found |= one
    return found


def _above(path: str, namespace: str, known: Collection[Kustomization], seen: frozenset[str]) -> Iterator[Placed]:
    """Yield what each kustomization that names ``path`` makes of it; ``namespace``: set below (empty: none was). The outermost wins."""
    for one in known:
        if path in one.named and one.folder not in seen:
            sets = one.namespace or namespace
            where = f"kustomization in {one.folder or 'the root'}"
            yield Placed(frozenset({sets} - {""}), not sets, f"its {where} {one.unsure}" if one.unsure else "")
            yield from _above(one.folder, sets, known, seen | {one.folder})
