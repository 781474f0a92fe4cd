"""What stands for and against each chosen experiment: preflight's own checks, where answers that several have in common are asked once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from history.errors import AftershockError
from history.plan import Plan
from kube.client import Platform
from kube.permissions import Permission
from runner.drivers.driver import Driver
from runner.experiment.experiment import Experiment
from runner.experiment.needs import of_queue
from runner.findings import About, Findings, Kind, Refusal
from runner.preflight import admission, checks
from runner.preflight.floor import below_floor
from runner.preflight.planning import make_plan
from runner.preflight.platform_health import Before
from runner.preflight.queue_gauge import NO_QUEUE, QueueSource
from runner.request import Request
from runner.run import asked
from runner.run.asked import Aimed, Prepared
from runner.run.preflight import refuse_unplannable
from runner.stop import Stop

Value = TypeVar("Value")


@dataclass(slots=True)
class Outcome:
    """What was found of one experiment: ``own`` findings, and refusals that others have in common with it (``shared``)."""

    name: str
    own: Findings = field(default_factory=Findings)
    shared: list[Refusal] = field(default_factory=list)
    aimed: Aimed | None = None
    prepared: Prepared | None = None


class Shared:
    """Answers that experiments have in common: each is asked once, and what it refuses is kept once, in ``findings``."""

    def __init__(self) -> None:
        self.findings = Findings()
        self._answers: dict[Hashable, tuple[Any, list[Refusal]]] = {}

    def once(self, key: Hashable, ask: Callable[[Findings], Value], outcome: Outcome) -> Value:
        """Return what was answered under ``key``, asking if nobody has; note in ``outcome`` what was refused."""
        if key not in self._answers:
            before = len(self.findings.refusals)
            answer = ask(self.findings)
            self._answers[key] = answer, self.findings.refusals[before:]
        answer, refused = self._answers[key]
        outcome.shared += refused
        found: Value = answer
        return found


@dataclass(frozen=True, slots=True)
class Examination:
    """Of what experiments are examined: the platform, its state (None: it is not healthy, or cannot be looked at), and ``request``."""

    platform: Platform
    before: Before | None
    request: Request
    stop: Stop
    blind: bool = False  # Prometheus does not answer: nothing more is asked of it
    shared: Shared = field(default_factory=Shared)

    def rights(self, experiments: Collection[Experiment]) -> dict[str, list[Permission]]:
        """Return what each experiment needs; one whose method is no fault of ours has none, and is refused later."""
        found = {}
        for one in experiments:
            try:
                found[one.id] = asked.rights_of(one, checks.faults_of(one, self.platform), self.platform)
            except AftershockError:
                found[one.id] = []
        return found

    def examine(self, experiment: Experiment) -> Outcome:
        """Ask all that preflight asks of one experiment."""
        outcome = Outcome(experiment.id)
        prepared = outcome.own.ask(About.EXPERIMENTS, lambda: asked.prepare(experiment, self.platform, self.request, self.stop))
        if prepared is None:
            return outcome
        outcome.prepared = prepared
        queue = self._common(prepared, outcome)
        outcome.aimed = aimed = asked.ask_targets(asked.known_now(prepared, self.request), self.request.seed, outcome.own)
        before = self.before
        if before is not None and not outcome.own.refusals and not outcome.shared:
            plan = outcome.own.ask(About.EXPERIMENTS, lambda: self._plan(prepared, aimed, before, queue))
            outcome.own.note(About.EXPERIMENTS, below_floor(plan, plan.first.role) if plan else ())
        return outcome

    def _plan(self, prepared: Prepared, aimed: Aimed, before: Before, queue: QueueSource) -> Plan:
        """Return the plan. Raises TargetRefused: it could not be judged, or a blackout window stands in its way."""
        resolved, target = asked.resolved(prepared, aimed, before, queue), self.platform.target
        plan = make_plan(self.request, prepared.experiment, target, resolved, prepared.drivers)
        refuse_unplannable(plan, target)
        return plan

    def _common(self, prepared: Prepared, outcome: Outcome) -> QueueSource:
        """Ask what others ask as well; return where the queue is."""
        settings, needed = prepared.experiment.settings, checks.permissions_of(prepared.faults, self.platform)
        by_pod = Permission("create", "pods", namespace=self.platform.target.suite.namespace) in needed

        def fault_pod(findings: Findings) -> None:
            findings.ask(About.CLUSTER, lambda: admission.check_fault_pod(needed, self.platform))

        self.shared.once(("fault pod", by_pod), fault_pod, outcome)
        for driver in prepared.drivers:
            self.shared.once(("driver", driver.name, settings.training.model_dump_json()), partial(_ask, driver), outcome)
        if self.blind:
            return NO_QUEUE
        probes = tuple(repr(probe.provider.arguments) for probe in of_queue(prepared.experiment))
        key = ("queue", settings.workloads, probes, settings.stop_when)
        return self.shared.once(key, lambda findings: asked.ask_prometheus(prepared, findings), outcome)


def _ask(driver: Driver, findings: Findings) -> None:
    """Ask a driver, and note that all of it answers."""
    before = len(findings.refusals)
    asked.ask_driver(driver, findings, driver.check)
    if len(findings.refusals) == before:
        findings.note(About.LOAD, [f"{driver.name} ({driver.kind}): all that drives and measures it is there and answers"], Kind.WORKS)
