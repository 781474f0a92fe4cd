"""Training: operators that are served, what they run, and suspended objects that a class of training can take as its template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from runner.discovery.known.training import OPERATORS, RANKS
from runner.discovery.nodes import is_accelerator
from runner.discovery.reader import Reader
from target.job_kinds.kind import JobKind, Plain, Resource, known_kinds

NAMED = re.compile(r"train|finetune|fine-tune|pretrain|sft|rlhf", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Template:
    """A suspended object of which training jobs can be made."""

    kind: str
    namespace: str
    name: str
    pods: int
    labels: dict[str, str]
    container: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class TrainingFound:
    """``templates``: those that look like training; ``others``: names of further suspended ones; ``refused``: why some cannot be one.

    ``operators``: names and remarks of those that are served; ``jobs``: what runs, in words.
    """

    templates: tuple[Template, ...] = ()
    others: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    operators: tuple[tuple[str, str], ...] = ()
    jobs: tuple[str, ...] = field(default=())


def read_training(reader: Reader) -> TrainingFound:
    """Return what there is of training in the namespaces that are looked into."""
    templates: list[Template] = []
    others: list[str] = []
    refused: list[str] = []
    for kind in known_kinds().values():
        resource = kind.template
        served = reader.served(resource.group, resource.plural, resource.kind)
        for written in reader.listed(resource if served else None):
            said, reasons = kind.complaint(written), _reasons(kind, written)
            if said and reasons:
                refused.append(f"{_name(resource, written)}: {said}")
            elif not said and reasons:
                templates.append(_template(kind, written, reasons))
            elif not said:
                others.append(_name(resource, written))
    served_operators = [(group, one) for group, one in OPERATORS.items() if group in reader.groups]
    return TrainingFound(
        templates=tuple(templates),
        others=tuple(others),
        refused=tuple(refused),
        operators=tuple((one.name, one.remark) for _, one in served_operators),
        jobs=tuple(text for group, one in served_operators for job in one.jobs for text in _running(reader, group, job)),
    )


def _running(reader: Reader, group: str, job: Resource) -> Iterator[str]:
    resource = reader.served(group, job.plural, job.kind)
    yield from (_name(job, one) for one in reader.listed(resource))


def _template(kind: JobKind, written: Plain, reasons: Iterable[str]) -> Template:
    shapes = kind.pod_templates(kind.job_of(written))
    first = shapes[0].pod
    meta: Plain = written["metadata"]
    return Template(
        kind=kind.template.kind,
        namespace=meta["namespace"],
        name=meta["name"],
        pods=sum(one.pods for one in shapes),
        labels=dict((first.get("metadata") or {}).get("labels") or {}),
        container=_containers(first)[0]["name"],
        reasons=tuple(reasons),
    )


def _reasons(kind: JobKind, written: Plain) -> list[str]:
    """Return why an object looks like training: how it starts ranks, what it asks for, what it is called."""
    try:
        shapes = [one.pod for one in kind.pod_templates(kind.job_of(written))]
    except (LookupError, TypeError, AttributeError):  # it lacks what every one has
        return []
    containers = [one for pod in shapes for one in _containers(pod)]
    lines = [" ".join([*(one.get("command") or []), *(one.get("args") or [])]) for one in containers]
    found = [f"command {hit[0]}" for line in lines for sign in RANKS if (hit := re.search(sign, line))]
    limits = [(one.get("resources") or {}).get("limits") or {} for one in containers]
    found += [f"asks for {amount} {resource}" for one in limits for resource, amount in one.items() if is_accelerator(resource)]
    named = NAMED.search(written["metadata"]["name"])
    return list(dict.fromkeys(found + ([f"name has {named[0]!r}"] if named else [])))


def _containers(pod: Plain) -> list[Plain]:
    found: list[Plain] = (pod.get("spec") or {}).get("containers") or []
    return found


def _name(resource: Resource, thing: dict[str, Any]) -> str:
    return f"{resource.kind} {thing['metadata']['name']} in {thing['metadata'].get('namespace', '')}"
