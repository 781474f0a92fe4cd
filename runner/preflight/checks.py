"""What can forbid a run, asked in preflight before anything is touched: rights, targets, capacity, clock, platform."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from kubernetes import client

from faults.mechanisms import chaos_mesh_check
from history.errors import NoData, TargetRefused
from history.plan import Plan, ResolvedTarget
from history.workloads import RequestsPlan
from kube import permissions
from kube.client import Platform, api_errors
from kube.controllers.wanted import permissions as counting
from kube.health.asking import permissions as permissions_of_way
from kube.health.ways import Way
from kube.permissions import Permission
from probes.prometheus.values import engine_gauges
from runner.cleanup.leftovers import find_leftovers, refuse_leftovers
from runner.experiment.catalogue import fault_of
from runner.experiment.experiment import Experiment
from runner.experiment.format import Action
from runner.experiment.variables import filled
from runner.preflight import admission
from runner.preflight.health_ways import asked_through, unasked
from runner.preflight.instruments import judged_alerts
from runner.preflight.planning import Resolved
from runner.preflight.platform_health import Before, complaints, look
from runner.preflight.platform_parts import platform_parts
from safety import blast_radius, reaper_job
from safety.fault_spec import FaultSpec
from target.region import Region
from target.target import Target

Targets = dict[str, list[ResolvedTarget]]  # activity -> what it will touch
OFFSET_S = 5.0  # deadlines and leases are written by one clock and kept by another; the API server's is known to a second


@dataclass(frozen=True, slots=True)
class Fault:
    """One action of the method with its specification and its arguments filled in."""

    action: Action
    spec: FaultSpec
    arguments: dict[str, Any]


def faults_of(experiment: Experiment, platform: Platform) -> list[Fault]:
    """Return the method's faults. Raises TargetRefused: an action is no fault of ours."""
    faults = []
    for action in experiment.document.method:
        spec = fault_of(action.provider)
        if spec is None:
            raise TargetRefused(
                f"{action.provider.module}.{action.provider.func} is not a fault of this suite; nothing would bound or undo it"
            )
        faults.append(Fault(action, spec, filled(action.provider.arguments, experiment, platform.target)))
    return faults


def permissions_of(faults: list[Fault], platform: Platform) -> list[Permission]:
    """Return what the run needs: watching, journal and leases, each fault and its undo, the reaper if it needs one; each once.

    Not through what replicas are asked for their health: that is chosen from what is granted (:mod:`kube.health.choice`).
    """
    target = platform.target
    needed = [*permissions.suite_permissions(platform), *observing(target)]
    for fault in faults:
        needed += fault.spec.permissions(platform, fault.arguments)
    if faults:
        needed.append(Permission("get", "nodes"))  # diagnostics: the node that a target ran on
    if any(fault.spec.tier == "node" and not _by_chaos_mesh(fault, platform) for fault in faults):
        needed.append(Permission("get", "leases", "coordination.k8s.io", "kube-node-lease"))
        needed.append(Permission("get", "namespaces"))  # the blast radius: whose pods run on the node, and have they consented
    if reaper_job.needs_reaper(needed):
        needed += reaper_job.reaper_permissions(target.suite.namespace, needed)
    return list(dict.fromkeys(needed))


def _by_chaos_mesh(fault: Fault, platform: Platform) -> bool:
    """Tell whether Chaos Mesh makes a fault here: then the suite itself does nothing on a node."""
    return bool(fault.spec.chaos_mesh) and platform.region.chaos_mesh is not None


def observing(target: Target) -> list[Permission]:
    """Return what watching the platform, sampling it and keeping diagnostics need."""
    roles = target.roles.values()
    namespaces = sorted({role.namespace for role in roles})
    watched: list[tuple[str, str, str | None]] = [("nodes", "", None)]
    watched += [("events", "", namespace) for namespace in sorted({*namespaces, "default"})]  # Events of nodes are in default
    watched += [("endpointslices", "discovery.k8s.io", role.namespace) for role in roles if role.service]
    needed = [Permission(verb, resource, group, namespace) for resource, group, namespace in watched for verb in ("list", "watch")]
    needed += [permission for role in roles for permission in counting(role)]
    return needed + [Permission("get", "pods/log", namespace=name) for name in namespaces]


def asking(target: Target) -> list[Permission]:
    """Return what asking replicas for their health usually takes. Who has not got it asks through another way, or not at all."""
    return [one for name in sorted({role.namespace for role in target.roles.values()}) for one in permissions_of_way(Way.PROXY, name)]


def check_access(faults: list[Fault], platform: Platform, of_drivers: Iterable[Permission] = ()) -> list[Permission]:
    """Ask for every permission, the drivers' too; return them. Raises TargetRefused: with every missing one."""
    of_faults = permissions_of(faults, platform)
    asked = list(dict.fromkeys([*of_faults, *of_drivers]))
    permissions.require(platform, asked)
    admission.check_fault_pod(of_faults, platform)
    return asked


def resolve(faults: list[Fault], platform: Platform, seed: int) -> Targets:
    """Choose the targets of each fault, by the run's seed. Raises TargetRefused: a selector matches nothing, a driver is missing."""
    return {fault.action.name: resolve_one(fault, platform, seed) for fault in faults}


def resolve_one(fault: Fault, platform: Platform, seed: int) -> list[ResolvedTarget]:
    """Choose the targets of one fault (same errors as :func:`resolve`)."""
    with api_errors(f"{fault.action.name}: resolve its targets", TargetRefused):
        found = fault.spec.resolve(platform, fault.arguments, Random(f"{seed}:{fault.action.name}"))  # noqa: S311 - repeatable on purpose
        return [one.model_copy(update={"region": platform.region_name}) for one in found]


def check_signals(faults: list[Fault], targets: Targets, platform: Platform) -> None:
    """Ask whether each pod to which a fault is to add a container would admit it. Raises TargetRefused."""
    for fault in faults:
        if fault.spec.tier == "ephemeral" and fault.action.name in targets:  # a dry run may know no pods yet
            admission.check_ephemeral_container(platform, fault.spec, fault.arguments["role"], targets[fault.action.name])


def check_chaos(fault: Fault, targets: Targets, platform: Platform) -> None:
    """Ask whether Chaos Mesh could make a fault that it is to make, and end it again. Raises TargetRefused."""
    kind = chaos_mesh_check.kind_of(platform, fault.spec.permissions(platform, fault.arguments))
    if kind is not None:
        lost = {
            one.node for name, found in targets.items() if name != fault.action.name for one in found if one.kind == "Node" and one.node
        }
        chaos_mesh_check.check_chaos(platform, kind, targets[fault.action.name], lost)


def check_blast_radius(targets: Targets, platform: Platform, experiment: Experiment) -> None:
    """Refuse targets beyond the blast radius. Raises TargetRefused."""
    for found in targets.values():
        blast_radius.check(platform, found, experiment.settings.allow)


def check_clock(platform: Platform) -> None:
    """Refuse if the API server's clock and this machine's are too far apart for deadlines to mean the same. Raises TargetRefused."""
    offset_s = platform.clock_offset_s
    if abs(offset_s) > OFFSET_S:
        raise TargetRefused(
            f"target {platform.target.name}: the clock of the API server is {offset_s:+.0f} s from this machine's, at most {OFFSET_S:g} s "
            "are allowed: the ends of faults are written by one and kept by the other; nothing was injected; let both follow NTP"
        )


def check_leftovers(platform: Platform) -> None:
    """Refuse what an earlier run left undone. Raises TargetRefused."""
    refuse_leftovers(find_leftovers(platform))


def check_health(platform: Platform) -> Before:
    """Refuse an unhealthy platform; return its state. Raises TargetRefused."""
    before = look(platform)
    wrong = tuple(complaints(platform, before))
    if wrong:
        raise TargetRefused(
            f"target {platform.target.name} is not healthy: {'; '.join(wrong)}; nothing was injected; mend what is named, or wait where "
            "something is being replaced",
            parts=wrong,
        )
    return before


def with_versions(resolved: Resolved, platform: Platform, commit: str) -> Resolved:
    """Return ``resolved`` with what the plan says besides of what it met: versions, parts, gauges, ways. Raises TargetRefused."""
    known: dict[str, Any] = {"server_version": server_version(platform), "commit": commit}
    known |= {"platform": platform_parts(platform), "gauges": known_gauges(platform.region)}
    known |= {"asked_through": asked_through(platform), "unasked": unasked(platform), "alerts": judged_alerts(platform)}
    return replace(resolved, **known)


def server_version(platform: Platform) -> str:
    """Return the API server's version (v1.36.3). Raises TargetRefused."""
    with api_errors("ask for the server's version", TargetRefused):
        server: Any = client.VersionApi(platform.api).get_code()
    return str(server.git_version)


def known_gauges(region: Region) -> tuple[str, ...]:
    """Return the gauges of model servers that Prometheus has; none where there is no Prometheus, or one that says nothing."""
    with suppress(NoData):  # whoever needs a gauge asks for it, and says what is wrong
        return tuple(engine_gauges(region)) if region.prometheus is not None else ()
    return ()


def ask_commit(stack: ExitStack) -> Callable[[], str]:
    """Ask git for the suite's commit (marked if the tree differs from it) and go on; return how to hear the answer.

    It is empty outside a repository, or where git is not installed. On a busy machine git takes as long as all questions to the cluster.
    """
    if shutil.which("git") is None:
        return lambda: ""
    asked = subprocess.Popen(
        ["git", "describe", "--always", "--dirty"], cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    stack.enter_context(asked)

    def answer() -> str:
        return asked.communicate()[0].strip()

    return answer


def describe(targets: Targets, needed: list[Permission]) -> list[str]:
    """Return what a dry run prints: each target, what will be done to it, how it ends, and the permissions needed."""
    lines = []
    for activity, chosen in targets.items():
        for target in chosen:
            where = f"{target.namespace}/{target.name}" if target.namespace else target.name
            on = f" on {target.node}" if target.node and target.node != target.name else ""
            lines.append(f"{activity}: {target.kind} {where}{on}: {target.effect}; ends: {target.ends}")
    if not targets:
        lines.append("nothing is injected")
    return [*lines, "permissions:", *(f"  {permissions.sentence(permission)}" for permission in needed)]


def foretell(plan: Plan) -> list[str]:
    """Return what a dry run prints of the plan: hypothesis, budgets, deadline, floor."""
    expects = ", ".join(f"{name} {within}" for name, within in plan.hypothesis_expects.items())
    lines = [f"hypothesis: {plan.experiment.hypothesis} ({expects})"]
    lines += [f"left out of the hypothesis: {what}" for what in plan.hypothesis_left_out]
    lines += [f"health of role {role} is asked: {through}" for role, through in plan.health_asked.items()]
    for workload in plan.workloads:
        bounds = {name: value for name, value in workload.budgets.settings().items() if value is not None}
        of = "" if len(plan.workloads) == 1 else f" of {workload.name}"
        lines.append(f"budgets{of}: {', '.join(f'{name} {value:g}' for name, value in bounds.items())}")
        if isinstance(workload, RequestsPlan):
            lines.append(f"answers{of} are judged: {workload.answers.text}")
    lines += [f"deadline: {plan.timers.deadline_s:.0f} s after the fault"]
    if plan.floor is not None:
        served = "" if plan.floor.rto_s is None else f", users not served before {plan.floor.rto_s:.1f} s"
        lines.append(f"floor: full capacity not back before {plan.floor.capacity_rto_s:.1f} s{served}: {plan.floor.sentence}")
    return lines
