"""What a range of commits changes of a platform: objects in manifests, experiments, target files, images. Read from git alone."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from history.errors import ConfigError
from nights.claims import Changed, ChangedObject
from runner.commands.kustomizations import MOVES, TEMPLATED, Kustomization, Placed, is_kustomization, placed, read_all

YAML, IMAGE = (
    re.compile(r"\.(ya?ml|json)$"),
    re.compile(r"(^|/)(Dockerfile|Containerfile)[^/]*$|\.(dockerfile|containerfile)$", re.IGNORECASE),
)
CHART = re.compile(r"(^|/)([^/]*values[^/]*|Chart)\.ya?ml$")
TEMPLATE = re.compile(r"\.(tpl|jsonnet|libsonnet|cue)$|\.(ya?ml|json)\.(j2|jinja2?|tpl|tmpl|gotmpl|erb|mustache|template)$")
DEPLOYS = re.compile(r"toolkit\.fluxcd\.io/|^argoproj\.io/.*:(Application|ApplicationSet|AppProject)$|^helm\.cattle\.io/")
"""API groups and kinds of objects by which others are deployed (``apiVersion:kind``)."""
UNBUILT = "it is not plain YAML (a template), so which objects it changes is not known"
OF_CHART = "values of a chart, so which objects they change is not known"
OF_IMAGE = "an image is built from it, and which pods run that is not known"
OF_KUSTOMIZATION = "a kustomization without a namespace, so which objects it changes is not known"
OF_PATCH = "a list of patches (JSON 6902) that no kustomization names, so which objects it changes is not known"
OF_PART = "a part of a kustomization without a namespace, so which objects it changes is not known"
OF_DEPLOYER = "an object that deploys others, and which these are is not known"


@dataclass(frozen=True, slots=True)
class Range:
    """Two states of a repository: a commit, and another or (empty) the files as they are now."""

    root: Path
    old: str
    new: str

    def files(self) -> list[str]:
        """Return the paths that differ."""
        said = _git(self.root, "diff", "--name-only", "--no-renames", "-z", self.old, *([self.new] if self.new else []), "--")
        return _paths(said) + ([] if self.new else _paths(_git(self.root, *UNTRACKED)))

    def kustomizations(self) -> list[Kustomization]:
        """Return all kustomizations, before and after."""
        then = _paths(_git(self.root, "ls-tree", "-r", "--name-only", "-z", "--full-tree", self.old))
        now = ["ls-tree", "-r", "--name-only", "-z", "--full-tree", self.new] if self.new else ["ls-files", "-z"]
        there = _paths(_git(self.root, *now)) + ([] if self.new else _paths(_git(self.root, *UNTRACKED)))
        return [*read_all(then, lambda path: self.both(path)[0]), *read_all(there, lambda path: self.both(path)[1])]

    def both(self, path: str) -> tuple[bytes, bytes]:
        """Return a file's content before and after; empty: it was not, or is not, there."""
        return self._at(self.old, path), self._at(self.new, path) if self.new else _content(self.root / path)

    def _at(self, commit: str, path: str) -> bytes:
        done = subprocess.run(["git", "show", f"{commit}:{path}"], cwd=self.root, capture_output=True, check=False)
        return done.stdout if done.returncode == 0 else b""


UNTRACKED = ("ls-files", "--others", "--exclude-standard", "-z")


def _paths(said: bytes) -> list[str]:
    return [path for path in said.decode(errors="surrogateescape").split("\0") if path]


def changed_between(text: str, experiments: Path, folder: Path = Path()) -> Changed:
    """Return what ``text`` (``A..B``, ``A...B``, or a commit against the files as they are now) changes.

    Raises:
        ConfigError: no repository, or no such commits.

    """
    span = range_of(text, folder)
    ours = experiments.resolve().relative_to(span.root).as_posix() if experiments.resolve().is_relative_to(span.root) else ""
    found: dict[str, list[Any]] = {"objects": [], "experiments": [], "targets": [], "unknown": []}
    known = span.kustomizations()
    for path in span.files():
        for kind, one in _of_file(path, ours, *span.both(path), placed(path, known)):
            found[kind].append(one)
    return Changed(**{kind: tuple(dict.fromkeys(those)) for kind, those in found.items()})


def range_of(text: str, folder: Path = Path()) -> Range:
    """Return the two ends of a range of commits. Raises ConfigError: it names none."""
    root = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    old, dots, new = next(((a, dots, b) for dots in ("...", "..") for a, found, b in [text.partition(dots)] if found), (text, "", ""))
    ends = [_commit(root, one or "HEAD") for one in (old, new)] if dots else [_commit(root, old), ""]
    if dots == "...":
        ends[0] = _git(root, "merge-base", *ends).decode().strip()
    return Range(root, *ends)


def _commit(root: Path, name: str) -> str:
    return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", named=name).decode().strip()


def _git(folder: Path, *words: str, named: str = "") -> bytes:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False)
    except OSError as error:
        raise ConfigError(f"git cannot be started ({error}); claims --changed reads what changed from it") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"{named!r} is no commit"
        raise ConfigError(f"git {words[0]} in {folder.resolve()}: {said}; write --changed as main...HEAD, A..B, or a commit")
    return done.stdout


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _of_file(path: str, experiments: str, old: bytes, new: bytes, put: Placed) -> Iterator[tuple[str, Any]]:
    """Yield what one changed file changes, each with the field of :class:`nights.claims.Changed` that it belongs to.

    ``put``: where kustomizations put what it holds.
    """
    if why := _unresolved(path):
        yield "unknown", (path, why)
    elif experiments and YAML.search(path) and PurePosixPath(path).is_relative_to(experiments):
        yield "experiments", PurePosixPath(path).relative_to(experiments).with_suffix("").as_posix()
    elif YAML.search(path) or is_kustomization(path):
        yield from _of_yaml(path, old, new, put)
    elif put.found:
        yield from _of_part(path, put, OF_PART)


def _unresolved(path: str) -> str:
    """Return why nobody can say which objects a file of this name changes; empty: its content may tell."""
    known = ((IMAGE, OF_IMAGE), (CHART, OF_CHART), (TEMPLATE, UNBUILT))
    return next((why for pattern, why in known if pattern.search(path)), "")


def _of_yaml(path: str, old: bytes, new: bytes, put: Placed) -> Iterator[tuple[str, Any]]:
    before, after = _documents(old), _documents(new)
    if before is None or after is None:
        if not path.endswith(".json") or put.found:  # JSON with comments or of another kind of file is no manifest
            yield "unknown", (path, UNBUILT)
        return
    for document in [one for one in (*before, *after) if one not in before or one not in after]:
        if isinstance(document, list):
            yield from _of_list(path, document, put)
        elif {"schema", "name", "roles"} <= set(document):
            yield "targets", str(document["name"])
        elif is_kustomization(path) or ("kind" in document and not (path.endswith(".json") and "apiVersion" not in document)):
            yield from _of_object(path, document, put)
        elif put.found:
            yield from _of_part(path, put, OF_PART)


def _of_list(path: str, document: list[Any], put: Placed) -> Iterator[tuple[str, Any]]:
    """Yield what a list changes: patches, whose object a kustomization names; any other list is no manifest."""
    patches = any(isinstance(one, dict) and {"op", "path"} <= set(one) for one in document)
    if patches or put.found:
        yield from _of_part(path, put, OF_PART if put.found else OF_PATCH)


def _of_part(path: str, put: Placed, why: str) -> Iterator[tuple[str, Any]]:
    """Yield what a file changes that is no object itself: objects of the namespaces into which its kustomizations put them."""
    if put.unsure or put.kept or not put.namespaces:
        yield "unknown", (path, put.unsure or why)
        return
    for namespace in sorted(put.namespaces):
        yield "objects", ChangedObject("what is built with", namespace, PurePosixPath(path).name, path)


def _of_object(path: str, document: dict[str, Any], put: Placed) -> Iterator[tuple[str, Any]]:
    """Yield one object in each namespace in which it may be: its own, and those that kustomizations put it into."""
    meta = document["metadata"] if isinstance(document.get("metadata"), dict) else {}
    kind = "Kustomization" if is_kustomization(path) else str(document["kind"])
    name, own = str(meta.get("name") or "without a name"), str(meta.get("namespace") or document.get("namespace") or "")
    if why := put.unsure or _unsure(path, document, (kind, name, own)):
        yield "unknown", (path, why)
        return
    namespaces = {own, *put.namespaces} - {""} | ({""} if not own and (put.kept or not put.found) else set())
    for namespace in sorted(namespaces):
        yield "objects", ChangedObject(kind, namespace, name, path)


def _unsure(path: str, document: dict[str, Any], identity: tuple[str, ...]) -> str:
    """Return why it is not known which object a document is, or what it changes besides; empty: it is."""
    if is_kustomization(path):
        moves = next((key for key in MOVES if document.get(key)), "")
        return f"a kustomization with {moves}, so which objects it changes is not known" if moves else _of_no_namespace(identity[-1])
    if DEPLOYS.search(f"{document.get('apiVersion')}:{document['kind']}"):
        return OF_DEPLOYER
    return UNBUILT if any(TEMPLATED.search(part) for part in identity) else ""


def _of_no_namespace(namespace: str) -> str:
    return OF_KUSTOMIZATION if not namespace or TEMPLATED.search(namespace) else ""


def _documents(content: bytes) -> list[Any] | None:
    """Return the mappings and lists of a YAML file, parts of a List apart; ``None``: it is not plain YAML."""
    try:
        found = [one for one in _loaded(content) if isinstance(one, dict | list)]
    except (yaml.YAMLError, ValueError):
        return None
    lists = [one for one in found if isinstance(one, dict) and one.get("kind") == "List"]
    parts = [part for one in lists for part in one.get("items") or [] if isinstance(part, dict)]
    return [*(one for one in found if one not in lists), *parts]


def _loaded(content: bytes) -> list[Any]:
    """Return the documents of YAML, or of JSON, which may be indented by tabs. Raises YAMLError, ValueError: it is neither."""
    with suppress(ValueError):
        return [json.loads(content)]
    return list(yaml.load_all(content, yaml.CSafeLoader))
