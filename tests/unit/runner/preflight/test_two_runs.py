"""Preflight of two runs at once: the second is refused, or waits for its turn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from history.errors import FaultFailed, TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform
from runner.exits import REFUSED
from runner.messages import Kind
from runner.preflight.lease_queue import Queue, namespace_of
from runner.run import assemble
from runner.run.child import run_request
from runner.stop import Interrupted, Stop
from safety.leases import Leases
from testing.runs.preflight import Make, refusal, unready
from testing.runs.runner_cluster import RunnerCluster
from testing.runs.runner_parts import Sent


def another_run(cluster: RunnerCluster, platform: Platform) -> Leases:
    other = Leases(cluster, "aftershock", "other-run@host:1", platform.server_time)
    other.acquire(["aftershock-namespace-ml-serving"])
    return other


def test_a_second_run_on_the_same_namespace_is_refused(platform: Platform, cluster: RunnerCluster, request_of: Make, sent: Sent) -> None:
    another_run(cluster, platform)
    assert "held by the run other-run@host:1" in refusal(request_of(dry_run=False), sent)
    assert list(cluster.leases) == ["aftershock-namespace-ml-serving"]


def test_a_refused_run_gives_its_leases_back(platform: Platform, cluster: RunnerCluster, request_of: Make, sent: Sent) -> None:
    unready(cluster)
    refusal(request_of(dry_run=False), sent)
    assert not cluster.leases


def test_a_run_may_queue_behind_another(platform: Platform, cluster: RunnerCluster, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.preflight.lease_queue.POLL_S", 0.01)
    other = another_run(cluster, platform)

    class Patient(Stop):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            other.release()

    queue = Queue(platform, "mine", 30, Patient(), sent)
    queue.take([namespace_of("ml-serving")])
    assert "held by the run other-run" in sent.texts(Kind.NOTE)[0]
    queue.take([namespace_of("ml-serving")])
    queue.release()
    assert not cluster.leases


CONTROLLERS = ResolvedTarget(kind="ControlPlane", name="controllers", effect="down", ends="by itself")


def test_a_fault_on_the_control_plane_has_the_cluster_for_itself(platform: Platform, cluster: RunnerCluster, sent: Sent) -> None:
    queue = Queue(platform, "mine", 0, Stop(), sent)
    queue.take([CONTROLLERS])
    queue.wait_until_alone()
    queue.demand_alone()
    another_run(cluster, platform)
    with pytest.raises(TargetRefused, match="run other-run is at work on this cluster; a fault on its control plane would hit that run"):
        queue.wait_until_alone()
    with pytest.raises(FaultFailed, match=r"other-run is at work .* nothing was injected"):
        queue.demand_alone()


def test_no_run_begins_while_another_holds_the_control_plane(platform: Platform, cluster: RunnerCluster, sent: Sent) -> None:
    Queue(platform, "holder", 0, Stop(), sent).take([CONTROLLERS])
    for targets in ([namespace_of("ml-serving")], [CONTROLLERS]):
        with pytest.raises(TargetRefused, match="aftershock-control-plane: held by the run holder"):
            Queue(platform, "mine", 0, Stop(), sent).take(targets)
    assert list(cluster.leases) == ["aftershock-control-plane"]


def test_a_run_that_is_at_work_goes_on_while_another_waits_for_the_control_plane(platform: Platform, sent: Sent) -> None:
    first = Queue(platform, "first", 0, Stop(), sent)
    first.take([namespace_of("ml-serving")])
    second = Queue(platform, "second", 0, Stop(), sent)
    second.take([CONTROLLERS])
    with pytest.raises(TargetRefused, match="run first is at work"):
        second.wait_until_alone()
    first.take([ResolvedTarget(kind="Node", name="gpu-a", node="gpu-a")])


def test_the_run_looks_again_before_it_injects(platform: Platform, cluster: RunnerCluster, sent: Sent) -> None:
    queue = Queue(platform, "mine", 0, Stop(), sent)
    another_run(cluster, platform)
    pod = ResolvedTarget(kind="Pod", name="p", namespace="ml-serving")
    assemble._demand_alone(cast("Any", SimpleNamespace(targets={"act": [pod]}, leases=queue)))
    with pytest.raises(FaultFailed, match="other-run is at work"):
        assemble._demand_alone(cast("Any", SimpleNamespace(targets={"act": [CONTROLLERS]}, leases=queue)))


def test_a_stop_in_preflight_says_that_nothing_was_injected(platform: Platform, request_of: Make, sent: Sent) -> None:
    class Asked(Stop):
        def wait(self, _seconds: float) -> None:
            raise Interrupted("SIGTERM", "asked to end (SIGTERM)")

    stop = Asked()
    cluster: Any = platform.core
    another_run(cluster, platform)
    assert run_request(request_of(dry_run=False, wait_s=60), sent, stop) == REFUSED
    assert sent.texts(Kind.REFUSED) == ["stopped in preflight, nothing was injected: asked to end (SIGTERM)"]
