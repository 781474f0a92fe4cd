"""Which experiments would prove a risk: those whose fault acts on the role that has it, as their files say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ENDINGS = {".yaml", ".yml"}


@dataclass(frozen=True, slots=True)
class Proofs:
    """``by_fault``: (fault, role) -> experiments. ``decoys``: the roles that sham controls hit, on which nobody depends."""

    by_fault: Mapping[tuple[str, str], tuple[str, ...]]
    decoys: frozenset[str]

    def of(self, faults: Iterable[str], role: str) -> tuple[str, ...]:
        """Return the experiments whose fault is one of ``faults`` on ``role``."""
        return tuple(dict.fromkeys(name for fault in faults for name in self.by_fault.get((fault, role), ())))


def read_proofs(folders: Iterable[Path]) -> Proofs:
    """Return what the experiments below ``folders`` would prove, those of a single fault first: of two, the other may be the reason.

    A file that is no experiment proves nothing: whoever runs it is told what is wrong with it.
    """
    by_fault: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    decoys = set[str]()
    for name, document in sorted(_documents(dict.fromkeys(folders)), key=lambda found: len(list(_actions(found[1])))):
        sham = "sham" in _faults(document)
        for fault, role in _actions(document):
            if sham:
                decoys.add(role)
            else:
                by_fault[fault, role].append(name)
    return Proofs({key: tuple(dict.fromkeys(names)) for key, names in by_fault.items()}, frozenset(decoys))


def _documents(folders: Iterable[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    for folder in folders:
        for file in sorted(one for one in folder.rglob("*") if one.suffix in ENDINGS):
            try:
                found = yaml.safe_load(file.read_bytes())
            except (OSError, ValueError, yaml.YAMLError):  # a date that is none is a ValueError
                continue
            if isinstance(found, dict):
                yield file.relative_to(folder).with_suffix("").as_posix(), found


def _faults(document: dict[str, Any]) -> list[object]:
    return [one.get("fault") for one in _listed(document, "extensions") if isinstance(one, dict)]


def _listed(document: dict[str, Any], key: str) -> list[Any]:
    found = document.get(key)
    return found if isinstance(found, list) else []


def _actions(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the fault and the role of each action of a method, as far as they are written as such."""
    for action in _listed(document, "method"):
        provider = action.get("provider") if isinstance(action, dict) else None
        if isinstance(provider, dict) and isinstance(provider.get("arguments"), dict):
            role = provider["arguments"].get("role")
            if isinstance(role, str):
                yield f"{provider.get('module')}.{provider.get('func')}", role
