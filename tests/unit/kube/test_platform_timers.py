"""The platform's own timers, as they are read from what is live."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from history.errors import TargetRefused
from kube.platform_timers import LOAD_S, START_S, first_check_s, liveness_s, load_s, owner_of, read_timers, start_s, toleration_s
from target.role import Controller
from testing.platform.fake_cluster import NOW, FakeCluster, pod


def test_the_least_time_that_probes_leave() -> None:
    assert liveness_s(SimpleNamespace(period_seconds=5, failure_threshold=3, timeout_seconds=2)) == 8  # asked 2 s before the hang
    assert liveness_s(SimpleNamespace(period_seconds=None, failure_threshold=None, timeout_seconds=None)) == 19
    assert liveness_s(SimpleNamespace(period_seconds=5, failure_threshold=1, timeout_seconds=2)) == 0
    assert liveness_s(None) == float("inf")
    readiness, startup = SimpleNamespace(initial_delay_seconds=None), SimpleNamespace(initial_delay_seconds=30)
    assert first_check_s(SimpleNamespace(startup_probe=startup, readiness_probe=readiness)) == 30
    assert first_check_s(SimpleNamespace(startup_probe=None, readiness_probe=readiness)) == 0


UNREACHABLE = "node.kubernetes.io/unreachable"


@pytest.mark.parametrize(
    ("tolerations", "stays_s"),
    [
        ([(UNREACHABLE, "NoExecute", 20)], 20),
        ([(UNREACHABLE, "NoExecute", None)], float("inf")),
        ([(UNREACHABLE, "NoExecute", None), (UNREACHABLE, "NoExecute", 60)], 60),
        ([(None, None, None)], float("inf")),  # it tolerates everything
        ([("nvidia.com/gpu", "NoSchedule", None), (UNREACHABLE, "NoSchedule", None)], 0),  # where Kubernetes adds none
        ([], 0),
    ],
)
def test_how_long_a_pod_stays_on_a_node_that_is_unreachable(tolerations: list[Any], stays_s: float) -> None:
    made = [SimpleNamespace(key=key, effect=effect, toleration_seconds=seconds) for key, effect, seconds in tolerations]
    one: Any = SimpleNamespace(spec=SimpleNamespace(tolerations=made))
    assert toleration_s(one) == stays_s


def test_whose_settings_they_are() -> None:
    one = pod("inference-7c9d-x")
    one.metadata.owner_references[0].name, one.metadata.labels["pod-template-hash"] = "inference-7c9d", "7c9d"
    assert owner_of(one, None) == "Deployment inference"
    assert owner_of(one, Controller(kind="StatefulSet", name="named")) == "StatefulSet named"
    assert owner_of(pod("worker-0", owner="StatefulSet"), None) == "StatefulSet owner"
    assert owner_of(pod("bare", owner=None), None) == "pod bare"


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

    def list_namespaced_pod(self, namespace: str, label_selector: str = "", **_: object) -> Any:
        if namespace == "kube-system":
            container = SimpleNamespace(command=list(self.flags), args=None)
            return SimpleNamespace(items=[SimpleNamespace(spec=SimpleNamespace(containers=[container]))])
        return super().list_namespaced_pod(namespace, label_selector)


def test_timers_are_read_from_what_is_live() -> None:
    cluster = Configured()
    assumed = read_timers(cluster.platform(), "inference")
    assert (assumed.node_monitor_s, assumed.node_monitor_known) == (50, False)
    assert (assumed.owner, assumed.cloud) == ("Deployment inference", "")
    cluster.nodes["gpu-b"].spec.provider_id = "aws:///eu-central-1b/i-0123"
    assert read_timers(cluster.platform(), "inference").cloud == "aws"
    assert read_timers(cluster.platform(), "gateway").cloud == ""
    cluster.flags = ("kube-controller-manager", "--node-monitor-grace-period=16s")
    read = read_timers(cluster.platform(), "inference")
    assert (read.node_monitor_s, read.node_monitor_known) == (16, True)


def test_a_role_without_pods_has_no_timers() -> None:
    cluster = Configured()
    cluster.pods.clear()
    with pytest.raises(TargetRefused, match="it has no pod"):
        read_timers(cluster.platform(), "inference")
