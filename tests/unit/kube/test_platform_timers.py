"""The platform's own timers, as they are read from what is live."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from history.errors import TargetRefused
from kube.platform_timers import LOAD_S, START_S, first_check_s, liveness_s, load_s, read_timers, start_s, toleration_s
from testing.platform.fake_cluster import NOW, FakeCluster


def test_probes_and_tolerations_of_pods() -> None:
    assert liveness_s(SimpleNamespace(period_seconds=5, failure_threshold=2)) == 5
    assert liveness_s(SimpleNamespace(period_seconds=None, failure_threshold=None)) == 20
    assert liveness_s(None) == float("inf")
    readiness, startup = SimpleNamespace(initial_delay_seconds=None), SimpleNamespace(initial_delay_seconds=30)
    assert first_check_s(SimpleNamespace(startup_probe=startup, readiness_probe=readiness)) == 30
    assert first_check_s(SimpleNamespace(startup_probe=None, readiness_probe=readiness)) == 0

    def pod_with(*tolerations: tuple[str, int | None]) -> Any:
        made = [SimpleNamespace(key=key, effect="NoExecute", toleration_seconds=seconds) for key, seconds in tolerations]
        return SimpleNamespace(spec=SimpleNamespace(tolerations=made))

    assert toleration_s(pod_with(("node.kubernetes.io/unreachable", 20))) == 20
    assert toleration_s(pod_with(("node.kubernetes.io/unreachable", None))) == float("inf")
    assert toleration_s(pod_with()) == 300
    assert toleration_s(pod_with(("node.kubernetes.io/unreachable", None), ("node.kubernetes.io/unreachable", 60))) == 60


def started(running_after_s: float, ready_after_s: float, restarts: int = 0) -> Any:
    conditions = [
        SimpleNamespace(type=kind, status="True", last_transition_time=NOW + timedelta(seconds=after))
        for kind, after in (("PodScheduled", 0), ("Ready", ready_after_s))
    ]
    running = SimpleNamespace(running=SimpleNamespace(started_at=NOW + timedelta(seconds=running_after_s)))
    status = SimpleNamespace(restart_count=restarts, state=running)
    return SimpleNamespace(status=SimpleNamespace(conditions=conditions, container_statuses=[status]))


def test_a_start_is_what_replicas_took_that_were_not_restarted() -> None:
    assert start_s([started(1, 10), started(2, 14), started(800, 900, restarts=1), started(2, 12)]) == 2
    assert start_s([started(800, 900, restarts=1)]) == START_S


def test_a_load_is_what_replicas_took_that_loaded_alone() -> None:
    together = [started(1, 19), started(2, 20), started(2, 21)]
    assert load_s([*together, started(100, 107)]) == 7
    assert load_s(together) == 18
    assert load_s([*together, started(100, 107), started(200, 205, restarts=1), started(300, 306)]) == 6
    assert load_s([]) == LOAD_S


def test_a_return_to_readiness_is_no_load() -> None:
    assert load_s([started(1, 600), started(700, 707)]) == 7  # cut off or frozen for a while: its container has run since long ago


class Configured(FakeCluster):
    """A cluster whose controller manager shows its flags."""

    flags: tuple[str, ...] = ()

    def list_namespaced_pod(self, namespace: str, label_selector: str = "") -> Any:
        if namespace == "kube-system":
            container = SimpleNamespace(command=list(self.flags), args=None)
            return SimpleNamespace(items=[SimpleNamespace(spec=SimpleNamespace(containers=[container]))])
        return super().list_namespaced_pod(namespace, label_selector)


def test_timers_are_read_from_what_is_live() -> None:
    cluster = Configured()
    assumed = read_timers(cluster.platform(), "inference")
    assert (assumed.node_monitor_s, assumed.node_monitor_known) == (50, False)
    cluster.flags = ("kube-controller-manager", "--node-monitor-grace-period=16s")
    read = read_timers(cluster.platform(), "inference")
    assert (read.node_monitor_s, read.node_monitor_known) == (16, True)


def test_a_role_without_pods_has_no_timers() -> None:
    cluster = Configured()
    cluster.pods.clear()
    with pytest.raises(TargetRefused, match="it has no pod"):
        read_timers(cluster.platform(), "inference")
