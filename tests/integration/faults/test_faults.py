"""Each fault acts, its evidence confirms it, it ends; and where nothing acts, the evidence says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import faults.gpus
import faults.nodes
import faults.pods
import faults.processes
import faults.zones
from history.errors import NoData
from history.schema import EventKind
from kube import container_exec
from kube.client import Platform
from kube.selection import read_target
from probes import gpus, nodes, pods, processes
from probes.events import first_ns
from safety import active_run
from safety.leases import list_leases
from safety.undo_journal import UndoKind, list_journals
from target.region import CommandDriver
from target.target import Target
from testing.platform.targets import in_region
from testing.waiting import wait_for

Running = Callable[..., Any]
Evidence = Callable[[str], bool]
CONFIRM_S = 45.0


def confirmed(*evidence: Evidence) -> None:
    for one in evidence:
        wait_for(lambda one=one: seen(one), f"{one.__module__}.{one.__name__} is true", CONFIRM_S)  # type: ignore[misc]  # bound now


def seen(evidence: Evidence) -> bool:
    """Ask as a run does: a container that is just being ended can't be looked into, which is no answer yet."""
    try:
        return evidence("act")
    except NoData:
        return False


def unseen(evidence: Evidence) -> bool:
    """Tell that evidence is gone; no answer yet is not that."""
    try:
        return not evidence("act")
    except NoData:
        return False


def denied(*evidence: Evidence) -> None:
    for one in evidence:
        assert one("act") is False, f"{one.__module__}.{one.__name__}: true without its effect"


def engine_state(pod: str) -> set[str]:
    platform = active_run.require().platform
    found = container_exec.processes(platform, pod, "ml-serving", "server")
    return {process.state for process in found if "workloads.inference.engine" in process.command}


def test_a_killed_replica(running: Running) -> None:
    with running(faults.pods.kill, role="inference") as run:
        denied(pods.gone)
        assert faults.pods.kill("inference")["targets"] == [run.targets_of()[0].name]
        confirmed(pods.gone)


def test_a_gateway_that_is_told_to_leave_is_proven_when_it_is_gone(running: Running) -> None:
    with running(faults.pods.leave, role="gateway") as run:
        (target,) = run.targets_of()
        faults.pods.leave("gateway")
        denied(pods.gone)
        wait_for(lambda: seen(pods.gone), "it has left within its grace", CONFIRM_S + target.seen_s)


def test_a_killed_engine(running: Running) -> None:
    with running(faults.processes.kill_engine, role="inference") as run:
        (target,) = run.targets_of()
        before = {p.pid: p.age_s for p in container_exec.processes(run.platform, target.name, "ml-serving", "server")}
        assert len(before) >= 2
        faults.processes.kill_engine("inference")
        confirmed(processes.killed)
        faults.processes.replace()
        assert read_target(run.platform, target) is None or read_target(run.platform, target).metadata.deletion_timestamp  # type: ignore[union-attr]
        assert faults.processes.replace() == {"undone": []}


def test_an_engine_that_was_not_killed_is_not_taken_for_killed(running: Running) -> None:
    with running(faults.processes.kill_engine, role="inference") as run:
        run.fault_starts(run.targets_of())
        denied(processes.killed, processes.frozen)


def test_a_frozen_engine_goes_on_by_itself(running: Running) -> None:
    with running(faults.processes.freeze_engine, role="inference", for_s=20) as run:
        denied(processes.frozen)
        (target,) = run.targets_of()
        faults.processes.freeze_engine("inference", 20)
        confirmed(processes.frozen)
        wait_for(lambda: engine_state(target.name).isdisjoint({"T"}), "the engine goes on with nobody's help", 60)


def test_a_frozen_engine_is_thawed_by_the_rollback(running: Running) -> None:
    with running(faults.processes.freeze_engine, role="inference", for_s=300) as run:
        (target,) = run.targets_of()
        faults.processes.freeze_engine("inference", 300)
        confirmed(processes.frozen)
        faults.processes.replace()
        wait_for(lambda: read_target(run.platform, target) is None, "the pod with the frozen engine is replaced", 90)


def test_a_drained_node(running: Running, platform: Platform) -> None:
    with running(faults.nodes.drain, role="inference") as run:
        (target,) = run.targets_of()
        denied(nodes.cordoned, nodes.drained)
        assert any(name.startswith("inference-") for name in faults.nodes.drain("inference")["evicted"])
        confirmed(nodes.cordoned, nodes.drained)
        stays = platform.core.list_pod_for_all_namespaces(field_selector=f"spec.nodeName={target.name}").items
        assert any("gpu" in str(pod.metadata) for pod in stays), "the device plugin was evicted"
        assert faults.nodes.uncordon() == {"undone": [f"node {target.name}: uncordoned"]}
        denied(nodes.cordoned)


def test_a_node_that_was_cordoned_before_stays_so(running: Running, platform: Platform) -> None:
    with running(faults.nodes.cordon, role="inference") as run:
        name = run.targets_of()[0].name
        platform.core.patch_node(name, {"spec": {"unschedulable": True}})
        try:
            faults.nodes.cordon("inference")
            confirmed(nodes.cordoned)
            assert faults.nodes.uncordon() == {"undone": []}
            confirmed(nodes.cordoned)
        finally:
            platform.core.patch_node(name, {"spec": {"unschedulable": None}})


def test_a_node_without_power_comes_back_by_itself(running: Running) -> None:
    with running(faults.nodes.power_off, role="inference", for_s=25) as run:
        denied(nodes.powered_off)
        faults.nodes.power_off("inference", 25)
        confirmed(nodes.powered_off)
        assert [entry.kind for entry in run.journal.entries()] == [UndoKind.POWER_ON]
        wait_for(lambda: unseen(nodes.powered_off), "the power controller switches it on with nobody's help", 90)


def test_a_lost_zone_is_recovered(running: Running) -> None:
    with running(faults.zones.lose, role="inference", for_s=120) as run:
        names = [target.name for target in run.targets_of()]
        assert len(names) == 2
        denied(nodes.cordoned, nodes.powered_off)
        faults.zones.lose("inference", 120)
        confirmed(nodes.cordoned, nodes.powered_off)
        faults.zones.recover()
        wait_for(lambda: unseen(nodes.powered_off) and unseen(nodes.cordoned), "the zone is back", 60)


def test_a_lost_gpu_is_repaired(running: Running) -> None:
    with running(faults.gpus.lose_device, role="inference", for_s=120):
        denied(gpus.allocatable_dropped)
        faults.gpus.lose_device("inference", 120)
        confirmed(gpus.allocatable_dropped)
        faults.gpus.repair()
        wait_for(lambda: unseen(gpus.allocatable_dropped), "the device is offered again", 60)


NOTHING = CommandDriver(fail=("true",), repair=("true",))


@pytest.mark.parametrize(
    ("function", "evidence"), [(faults.nodes.power_off, nodes.powered_off), (faults.gpus.lose_device, gpus.allocatable_dropped)]
)
def test_a_driver_that_does_nothing_is_noticed(running: Running, target: Target, function: Callable[..., Any], evidence: Evidence) -> None:
    idle = in_region(target, machines=NOTHING, gpus=NOTHING)
    with running(function, idle, role="inference", for_s=30) as run:
        assert function("inference", 30)["targets"]
        until_ns = first_ns(EventKind.FAULT_START, "act") + 15_000_000_000  # longer than any real effect takes to be seen
        wait_for(lambda: evidence("act") or run.log.event(EventKind.NOTE) > until_ns, "15 s are over", 60)
        denied(evidence)


def test_journal_and_leases_are_in_the_cluster_while_the_fault_lasts(running: Running, platform: Platform) -> None:
    with running(faults.nodes.power_off, role="inference", for_s=15) as run:
        faults.nodes.power_off("inference", 15)
        (found,) = [journal for journal in list_journals(platform) if journal.header.run_id == run.plan.run_id]
        assert [entry.object for entry in found.remaining] == [run.targets_of()[0].name]
        held = [lease for lease in list_leases(platform) if lease.holder.startswith(run.plan.run_id)]
        assert [(lease.name, lease.alive) for lease in held] == [(f"aftershock-node-{run.targets_of()[0].name}", True)]
    assert not [lease for lease in list_leases(platform) if lease.holder.startswith(run.plan.run_id)]
