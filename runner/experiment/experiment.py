"""An experiment file, read and refused where it is wrong: everything that can be known before a cluster is asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from history.plan import ExperimentInfo
from runner.experiment.catalogue import check_chaoslib, check_fault, check_provider, rename_providers
from runner.experiment.format import Action, Aftershock, Document, Hypothesis, Probe
from target.mistakes import parse
from target.target import Target
from target.yaml_source import Key, Located, read_located

EXTENSION = "aftershock"
EXAMPLE = "experiments/serving/replica-killed.yaml"
REFERENCE = re.compile(r"\$\{(\w+)\}")
MISSPELT = 0.8  # likeness (difflib) from which a name is taken for a misspelling of one that the target has
Placed = tuple[tuple[Key, ...], Probe | Action]


@dataclass(frozen=True, slots=True)
class Experiment:
    """A valid experiment. ``located.data`` is what chaoslib executes, ``document`` and ``settings`` what the runner reads."""

    id: str  # path under the experiments' folder without its ending
    located: Located
    document: Document
    settings: Aftershock
    digest: str  # sha256 of the file, and of the hypothesis that its class of workload gave it
    left_out: tuple[str, ...] = ()  # of that hypothesis: what the target has not, each with the reason

    @property
    def raw(self) -> dict[str, Any]:
        """The file as plain data."""
        return self.located.data

    @property
    def written(self) -> dict[str, Any]:
        """Our extension as plain data."""
        return dict(self.raw["extensions"][self.extension_at()])

    @property
    def injects(self) -> bool:
        """Whether anything is done to the platform."""
        return bool(self.document.method)

    @property
    def hypothesis(self) -> Hypothesis:
        """What is believed. Raises ConfigError: the file does not say, and :mod:`runner.experiment.steady_state` was not asked."""
        if self.document.hypothesis is None:
            raise self.located.error((), "steady-state-hypothesis: missing, and no target was asked for that of the class of workload")
        return self.document.hypothesis

    def info(self) -> ExperimentInfo:
        """Return what the plan says of this experiment."""
        document = self.document
        return ExperimentInfo(
            id=self.id,
            title=document.title,
            description=document.description,
            tags=document.tags,
            hypothesis=self.hypothesis.title,
            fault=self.settings.fault,
            digest=self.digest,
        )

    def activities(self) -> Iterator[Placed]:
        """Yield every activity with the keys that lead to it."""
        if self.document.hypothesis is not None:
            yield from _placed(("steady-state-hypothesis", "probes"), self.document.hypothesis.probes)
        yield from _placed(("method",), self.document.method)
        yield from _placed(("rollbacks",), self.document.rollbacks)
        yield from _placed(("extensions", self.extension_at(), "evidence"), self.settings.evidence)

    def extension_at(self) -> int:
        """Return the position of our extension in the file."""
        return _extension_at(self.located)


def read_experiment(path: Path, root: Path) -> Experiment:
    """Read the experiment ``path``, which lies under ``root``.

    Raises:
        ConfigError: with file and line; every mistake of the same kind is listed.

    """
    located = read_located(path, EXAMPLE)
    rename_providers(located.data)
    document = parse(located, Document, located.data)
    at = _extension_at(located)
    settings = parse(located, Aftershock, located.data["extensions"][at], ("extensions", at))
    name = path.relative_to(root).with_suffix("").as_posix()
    experiment = Experiment(name, located, document, settings, hashlib.sha256(path.read_bytes()).hexdigest())
    _check_shape(experiment, at)
    _check_activities(experiment)
    check_chaoslib(located)
    return experiment


@dataclass(frozen=True, slots=True)
class Lack:
    """A name of the experiment that the target does not have, where it stands, and what the target has instead."""

    keys: tuple[Key, ...]
    what: str
    name: str
    known: tuple[str, ...]
    section: str  # of the target file

    @property
    def misspelt(self) -> bool:
        """Whether the name is nearly one that the target has."""
        return bool(get_close_matches(self.name, self.known, n=1, cutoff=MISSPELT))

    def sentence(self, target: Target) -> str:
        """Return what is missing and what is there."""
        return f"target {target.name} has no {self.what} {self.name!r}; it has {', '.join(self.known)}"


def check_target(experiment: Experiment, target: Target) -> None:
    """Refuse what this target does not have: the workload class, a role, a ``${value}``; also what cannot be meant.

    That is a budget of another kind of workload, and two classes of one kind.

    Raises:
        ConfigError: with file and line.

    """
    for lack in lacks_of(experiment, target):
        raise experiment.located.error(lack.keys, lack.sentence(target))
    _check_kinds(experiment, target)
    _check_budgets(experiment, target)
    _check_values(experiment, target)


def _check_kinds(experiment: Experiment, target: Target) -> None:
    """Refuse a second class of workload of one kind: the rows of both would stand in one table."""
    seen: dict[str, str] = {}
    for number, name in enumerate(experiment.settings.workloads):
        kind = target.workloads[name].kind
        if kind in seen:
            keys = ("extensions", experiment.extension_at(), "beside", number - 1)
            sentence = f"{name} is of kind {kind}, as {seen[kind]} is; a run has at most one of each kind; leave one of them out"
            raise experiment.located.error(keys, f"beside: {sentence}")
        seen[kind] = name


def _check_budgets(experiment: Experiment, target: Target) -> None:
    """Refuse a budget that means nothing for anything that drives the run."""
    first, *others = (dict(experiment.settings.budgets.misplaced(target.workloads[name].kind)) for name in experiment.settings.workloads)
    for name in [name for name in first if all(name in misplaced for misplaced in others)]:
        raise experiment.located.error(("extensions", experiment.extension_at(), "budgets", name), f"budgets.{name}: {first[name]}")


def lacks_of(experiment: Experiment, target: Target) -> Iterator[Lack]:
    """Yield each class of workload and each role that the experiment names and the target does not have."""
    for number, workload in enumerate(experiment.settings.workloads):
        if workload in target.workloads:
            continue
        keys: tuple[Key, ...] = ("workload",) if number == 0 else ("beside", number - 1)
        place = ("extensions", experiment.extension_at(), *keys)
        yield Lack(place, "workload class", workload, tuple(sorted(target.workloads)), "workloads")
    for keys, activity in experiment.activities():
        role = activity.provider.arguments.get("role")
        if isinstance(role, str) and "${" not in role and role not in target.roles:
            yield Lack((*keys, "provider", "arguments", "role"), "role", role, tuple(sorted(target.roles)), "roles")


def _check_values(experiment: Experiment, target: Target) -> None:
    known = set(target.configuration()) | set(experiment.document.configuration)
    for keys, activity in experiment.activities():
        for name in REFERENCE.findall(str(activity.provider.arguments)):
            if name not in known:
                sentence = f"${{{name}}} is neither in configuration nor in target {target.name}"
                raise experiment.located.error((*keys, "provider", "arguments"), sentence)


def _placed(keys: tuple[Key, ...], activities: tuple[Probe | Action, ...]) -> Iterator[Placed]:
    for number, activity in enumerate(activities):
        yield (*keys, number), activity


def _extension_at(located: Located) -> int:
    extensions = located.data.get("extensions") or []
    places = [number for number, extension in enumerate(extensions) if extension.get("name") == EXTENSION]
    if len(places) != 1:
        sentence = f"expected exactly one extension named {EXTENSION!r}, found {len(places)}; budgets and evidence stand there"
        raise located.error(("extensions",), sentence)
    return places[0]


def _check_shape(experiment: Experiment, at: int) -> None:
    """Refuse a fault without evidence, evidence without a fault, no budget at all, one name for two activities."""
    located, settings, document = experiment.located, experiment.settings, experiment.document
    place, own = ("extensions", at), "steady-state-hypothesis"
    if own in located.data and document.hypothesis is None:
        raise located.error(
            (own,), f"{own}: empty; write title and probes, or leave the key out: then the class of workload says what steady means"
        )
    if not settings.budgets.values():
        raise located.error((*place, "budgets"), "budgets: none is set; name at least one, e.g. rto: 30s, so that the verdict has a bound")
    if settings.fault == "none" and (document.method or settings.evidence):
        raise located.error((*place, "fault"), "fault: none is the null control, so method and evidence must be empty")
    if settings.fault != "none" and not document.method:
        raise located.error(("method",), "method: no action; a run that injects nothing is a null control (fault: none in the extension)")
    if settings.fault != "none" and not settings.evidence:
        raise located.error(place, "evidence: missing; name at least one probe that proves that the fault took effect")
    check_names(experiment)


def check_names(experiment: Experiment) -> None:
    """Refuse one name for two activities, and evidence for an action that is not in the method. Raises ConfigError."""
    seen: set[str] = set()
    methods = {action.name for action in experiment.document.method}
    for keys, activity in experiment.activities():
        if activity.name in seen:
            raise experiment.located.error((*keys, "name"), f"name {activity.name!r} is used twice; targets and evidence are kept by name")
        seen.add(activity.name)
        proves = activity.provider.arguments.get("activity")
        if isinstance(activity, Probe) and proves is not None and str(proves) not in methods:
            place = (*keys, "provider", "arguments", "activity")
            raise experiment.located.error(place, f"activity {proves!r} is not in the method; it has {', '.join(sorted(methods))}")


def _check_activities(experiment: Experiment) -> None:
    data: Any = experiment.raw
    for keys, activity in experiment.activities():
        raw = data
        for key in keys:
            raw = raw[key]
        check_provider(experiment.located, keys, raw)
        if keys[0] == "method":
            check_fault(experiment.located, keys, activity.provider)
