"""The hypothesis of an experiment that has none of its own: what steady means for its class of workload on its target.

What the target has not is left out by name. What it has and what is silent in a run is still asked, and makes the run INCONCLUSIVE.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from runner.experiment.experiment import Experiment, check_names, check_target
from runner.experiment.format import Hypothesis
from runner.experiment.needs import check_needs, of_queue
from target.requests import RequestsClass
from target.target import Target
from target.training import TrainingClass
from target.workload import WorkloadClass

REQUESTS_S, TRAINING_S = 10.0, 5.0  # the latest seconds that are judged, if the class does not say
MOST_STEPS = 1000  # a second; more is a counter that went wrong


@dataclass(slots=True)
class Steady:
    """A hypothesis as it grows: its title, its probes as a file would have them, and what is left out of it."""

    title: str
    probes: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def ask(self, name: str, function: str, tolerance: tuple[float, float] | int, **arguments: object) -> None:
        """Add a probe: a function of :mod:`probes`, and the range (or the one number) in which its value must lie."""
        module, func = function.split(".")
        within = {"type": "range", "range": [_plain(bound) for bound in tolerance]} if isinstance(tolerance, tuple) else tolerance
        provider = {"type": "python", "module": f"probes.{module}", "func": func, "arguments": arguments}
        self.probes.append({"type": "probe", "name": name, "tolerance": within, "provider": provider})


def _plain(number: float) -> float:
    return int(number) if number == int(number) else number


def for_target(experiment: Experiment, target: Target) -> Experiment:
    """Return ``experiment`` as it runs on ``target``: with the hypothesis of its file, or with that of its class of workload.

    Raises:
        ConfigError: it does not fit the target (:func:`check_target`, :func:`check_needs`), or neither says what steady means.

    """
    check_target(experiment, target)
    check_needs(experiment, target)
    if experiment.document.hypothesis is not None:
        return _seen_here(experiment, target)
    each = {name: steady_state(target, target.workloads[name]) for name in experiment.settings.workloads}
    name = next((name for name, steady in each.items() if not steady.probes), None)
    if name is not None:
        place = ("extensions", experiment.extension_at(), "workload")
        kind = target.workloads[name].kind
        sentence = f"class {name!r} of target {target.name} is of kind {kind}, for which nobody says what steady means"
        raise experiment.located.error(place, f"{sentence}, and this file has no steady-state-hypothesis; write one")
    return _completed(experiment, _together(list(each.values())))


def _seen_here(experiment: Experiment, target: Target) -> Experiment:
    """Return an experiment with the hypothesis of its own file, without the queue where there is no Prometheus to see it."""
    queue = [probe.name for probe in of_queue(experiment)]
    if target.only_region().prometheus is not None or not queue:
        return experiment
    own = experiment.raw["steady-state-hypothesis"]
    probes = [probe for probe in own["probes"] if probe["name"] not in queue]
    return _completed(experiment, Steady(own["title"], probes, [_no_prometheus(name, target) for name in queue]))


def _no_prometheus(name: str, target: Target) -> str:
    return f"{name}: target {target.name} names no prometheus"


def steady_state(target: Target, workload: WorkloadClass) -> Steady:
    """Return what steady means for a class of workload; without probes if nobody says so for its kind."""
    make = STEADY.get(type(workload))
    return make(target, workload) if make is not None else Steady("")


Class = TypeVar("Class", bound=WorkloadClass)
STEADY: dict[type[WorkloadClass], Callable[[Target, Any], Steady]] = {}
"""What steady means for a class, by the model of its kind; see :func:`steady_for`."""


def steady_for(model: type[Class]) -> Callable[[Callable[[Target, Class], Steady]], Callable[[Target, Class], Steady]]:
    """Register what steady means for classes of the kind that ``model`` is."""

    def register(function: Callable[[Target, Class], Steady]) -> Callable[[Target, Class], Steady]:
        STEADY[model] = function
        return function

    return register


def _together(steady: list[Steady]) -> Steady:
    """Return one hypothesis that asks for all of ``steady``."""
    return Steady(
        "; ".join(one.title for one in steady),
        [probe for one in steady for probe in one.probes],
        [what for one in steady for what in one.left_out],
    )


@steady_for(RequestsClass)
def _requests(target: Target, workload: RequestsClass) -> Steady:
    """Ask that users are served as the SLO says, the queue is short, and no replica is missing."""
    declared, slo, steady = workload.steady_state, workload.slo, Steady("users are served within the SLO")
    window_s = declared.window or REQUESTS_S
    steady.ask("users-are-served", "users.good_ratio", (slo.ratio, 1.0), window_s=window_s)
    steady.ask(
        "answers-are-fast",
        "users.p95_latency_ms",
        (0, declared.p95_latency * 1e3 if declared.p95_latency else slo.latency_ms),
        window_s=window_s,
    )
    _queue(steady, target, workload)
    role = target.roles[workload.role]
    steady.ask("no-replica-is-missing", "replicas.missing", 0, role=workload.role)
    asked = role.health is not None and role.health.path is not None
    steady.title += ", and every replica is ready" if asked else ", and every replica is Ready by its condition"
    return steady


def _queue(steady: Steady, target: Target, workload: RequestsClass) -> None:
    declared = workload.steady_state
    if target.only_region().prometheus is None:
        steady.left_out.append(_no_prometheus("queue-is-short", target))
    elif declared.queue_max is None:
        steady.left_out.append(f"queue-is-short: target {target.name} sets no queue_max in the steady_state of the class")
    else:
        role = target.roles[workload.role]
        name = declared.queue_metric or role.queue_metric
        metric = {"metric": name} if name else {}
        steady.ask("queue-is-short", "queue.depth", (0, declared.queue_max), **metric, labels=role.series_matchers)


@steady_for(TrainingClass)
def _training(_target: Target, workload: TrainingClass) -> Steady:
    """Ask that steps advance, no rank is missing, and the newest verified checkpoint is fresh."""
    declared = workload.steady_state
    steady = Steady("training advances, every rank is there, and a fresh checkpoint could be gone back to")
    steady.ask("training-advances", "training.steps_per_s", (declared.steps_per_s, MOST_STEPS), window_s=declared.window or TRAINING_S)
    steady.ask("no-rank-is-missing", "training.missing_ranks", 0, role=workload.role)
    steady.ask("checkpoint-is-fresh", "training.checkpoint_age_s", (0, declared.checkpoint_age))
    return steady


def _completed(experiment: Experiment, steady: Steady) -> Experiment:
    """Return ``experiment`` with the hypothesis in all that is read of it, its digest included. Raises ConfigError: a name stands twice."""
    raw = {"title": steady.title, "probes": steady.probes}
    effective = hashlib.sha256(f"{experiment.digest} {json.dumps(raw, sort_keys=True)}".encode())
    completed = replace(
        experiment,
        located=replace(experiment.located, data=experiment.raw | {"steady-state-hypothesis": raw}),
        document=experiment.document.model_copy(update={"hypothesis": Hypothesis.model_validate(raw)}),
        digest=effective.hexdigest(),
        left_out=tuple(steady.left_out),
    )
    check_names(completed)
    return completed
