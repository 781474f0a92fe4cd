"""What is asked before a run, check by check: of the target, of what drives the experiment, of what its faults would hit.

Every refusal is kept in :class:`runner.findings.Findings`. A run (:mod:`runner.run.preflight`) refuses with all that a part found before it
goes on to the next; ``python -m runner doctor`` asks all parts of all experiments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube import permissions
from kube.client import Platform
from kube.permissions import Permission
from kube.platform_timers import PlatformTimers
from kube.scheduling import Room
from runner.drivers.choice import driver_permissions, drivers_of
from runner.drivers.driver import Driver
from runner.experiment.experiment import Experiment
from runner.findings import About, Check, Findings
from runner.preflight import admission, checks, outside_view, queue_gauge
from runner.preflight.displaced import bound_replicas, displaced
from runner.preflight.instruments import check_instruments, check_prometheus, check_receiver, judged_alerts
from runner.preflight.node_parts import node_parts
from runner.preflight.planning import Resolved
from runner.preflight.platform_health import Before
from runner.preflight.queue_gauge import NO_QUEUE, QueueSource
from runner.preflight.undo_allowed import bypassing, refused_undos
from runner.preflight.vanished import check_controllers, check_own_namespace
from runner.request import Request
from runner.run.abort import stop_when
from runner.stop import Stop
from safety import blast_radius
from target.stop_when import StopWhen

FIRST = (
    Check(About.CLUSTER, "its clock agrees with this machine's", checks.check_clock),
    Check(About.CLUSTER, "the suite's own namespace is there", check_own_namespace),
    Check(About.ROLES, "every controller that the target file names is there", check_controllers),
)
"""Asked before a run takes its leases; what comes later may not be understood without it."""
THEN = (
    Check(About.CLUSTER, "no earlier run left anything undone", checks.check_leftovers),
    Check(About.INSTRUMENTS, "every instrument is ready", check_instruments),
    Check(About.PROMETHEUS, "it answers", check_prometheus),
    Check(About.PROMETHEUS, "it has every alerting rule that the target file names", judged_alerts),
    Check(About.PROMETHEUS, "the receiver of notifications can listen, where the target file names one", check_receiver),
)
"""Asked while a run holds its leases: until then another run may be the reason."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An experiment with its faults, what drives it, and the rights that both need."""

    platform: Platform
    experiment: Experiment
    faults: list[checks.Fault]
    drivers: list[Driver]
    permissions: list[Permission]


@dataclass(frozen=True, slots=True)
class Aimed:
    """What an experiment's faults would hit, what becomes of the pods on nodes that they take away, and the timers of each class."""

    targets: checks.Targets
    room: Room
    timers: dict[str, PlatformTimers]

    @property
    def all(self) -> list[ResolvedTarget]:
        """Every target, in order."""
        return [one for found in self.targets.values() for one in found]


def ask_all(asked: Iterable[Check], platform: Platform, findings: Findings) -> None:
    """Ask these checks of the target."""
    for check in asked:
        findings.ask(check.about, partial(check.ask, platform))


def prepare(experiment: Experiment, platform: Platform, request: Request, stop: Stop) -> Prepared:
    """Return an experiment with what it needs. Raises AftershockError: an action is no fault, or a driver cannot be made."""
    faults, drivers = checks.faults_of(experiment, platform), drivers_of(platform, experiment, request, stop)
    return Prepared(platform, experiment, faults, drivers, rights_of(experiment, faults, platform))


def rights_of(experiment: Experiment, faults: list[checks.Fault], platform: Platform) -> list[Permission]:
    """Return the rights that a run of ``experiment`` needs, each once."""
    beside = [*driver_permissions(platform.target, experiment), *bypassing(faults, platform, experiment.settings.allow)]
    return list(dict.fromkeys([*checks.permissions_of(faults, platform), *beside]))


def known_now(prepared: Prepared, request: Request) -> Prepared:
    """Return ``prepared`` without its faults where they aim at what a run makes only when it is no dry run."""
    unknown = request.dry_run and any(driver.needs().provides_targets for driver in prepared.drivers)
    return replace(prepared, faults=[]) if unknown else prepared


def ask_account(prepared: Prepared, findings: Findings) -> None:
    """Ask whether the account may do what the run takes, and whether a fault pod would be admitted."""
    platform, needed = prepared.platform, checks.permissions_of(prepared.faults, prepared.platform)
    findings.ask(About.RIGHTS, lambda: permissions.require(platform, prepared.permissions))
    findings.ask(About.CLUSTER, lambda: admission.check_fault_pod(needed, platform))


def ask_health(platform: Platform, findings: Findings) -> Before | None:
    """Ask whether the platform is healthy; return its state."""
    return findings.ask(About.ROLES, lambda: checks.check_health(platform))


def ask_driver(driver: Driver, findings: Findings, check: Callable[[], Sequence[str]]) -> None:
    """Ask whether all that drives and measures one class of workload is there. ``check``: its check, or one that was begun before."""
    findings.note(About.LOAD, driver.remarks())
    findings.ask(About.LOAD, lambda: _refuse(check()))


def _refuse(wrong: Sequence[str]) -> None:
    if wrong:
        raise TargetRefused(f"{'; '.join(wrong)}; nothing was injected", parts=tuple(wrong))


def ask_prometheus(prepared: Prepared, findings: Findings) -> QueueSource:
    """Ask whether the stop conditions are met, and return where the queue is."""
    platform, experiment = prepared.platform, prepared.experiment
    written = stop_conditions_of(experiment, platform)
    findings.ask(About.PROMETHEUS, lambda: stop_when.refuse_met(platform.region, written))
    found = findings.ask(About.PROMETHEUS, lambda: queue_gauge.queue_source(experiment, platform)) or NO_QUEUE
    findings.note(About.PROMETHEUS, found.remarks)
    return found


def stop_conditions_of(experiment: Experiment, platform: Platform) -> tuple[StopWhen, ...]:
    """Return the stop conditions of the target file and of the experiment."""
    return (*platform.target.stop_when, *experiment.settings.stop_when)


def ask_targets(prepared: Prepared, seed: int, findings: Findings) -> Aimed:
    """Choose the targets, and ask whether they may be touched, whether the faults would work on them and be seen, and about their undo."""
    platform, faults, drivers, allow = prepared.platform, prepared.faults, prepared.drivers, prepared.experiment.settings.allow
    found = {fault.action.name: findings.ask(About.EXPERIMENTS, partial(checks.resolve_one, fault, platform, seed)) for fault in faults}
    targets = {name: chosen for name, chosen in found.items() if chosen is not None}
    aimed = [fault for fault in faults if fault.action.name in targets]
    for chosen in targets.values():
        findings.ask(About.EXPERIMENTS, partial(blast_radius.check, platform, chosen, allow))
    for fault in aimed:
        findings.ask(About.EXPERIMENTS, partial(checks.check_signals, [fault], targets, platform))
        findings.ask(About.CLUSTER, partial(checks.check_chaos, fault, targets, platform))
    timers = findings.ask(About.LOAD, lambda: {driver.name: driver.timers() for driver in drivers}) or {}
    room = findings.ask(About.CLUSTER, lambda: displaced(aimed, targets, platform, timers.values(), allow)) if timers else None
    for about, ask in (
        (About.ROLES, lambda: refused_undos(aimed, targets, platform, allow)),
        (About.ROLES, lambda: outside_view.check_outside(aimed, targets, platform)),
    ):
        findings.note(about, findings.ask(about, ask) or ())
    findings.note(About.CLUSTER, room.sentences if room else ())
    return Aimed(targets, room or Room((), ()), timers)


def resolved(prepared: Prepared, aimed: Aimed, before: Before, queue: QueueSource) -> Resolved:
    """Return what a plan is made of."""
    bound = bound_replicas(aimed.room.bound, prepared.platform.target, before.replicas)
    nodes = node_parts(before.nodes)
    return Resolved(aimed.targets, dict(before.replicas), aimed.timers, grace_s=before.grace_s, bound=bound, queue=queue, nodes=nodes)
