"""Healed is what is proven: fresh news of the node, replicas that answer, nothing cordoned, every accelerator back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from kubernetes import client

from history.plan import ResolvedTarget
from runner.preflight.platform_health import Before, complaints, differences, look
from safety.undo_journal import Undo, UndoKind
from testing.platform.fake_cluster import NOW, pod
from testing.runs.runner_cluster import RunnerCluster

GPU_A = ResolvedTarget(kind="Node", name="gpu-a", uid="u", node="gpu-a")


@pytest.fixture
def cluster() -> RunnerCluster:
    return RunnerCluster()


def heard(cluster: RunnerCluster, when: datetime) -> None:
    cluster.leases["gpu-a"] = client.V1Lease(metadata=client.V1ObjectMeta(name="gpu-a"), spec=client.V1LeaseSpec(renew_time=when))


def differs(cluster: RunnerCluster, before: Before, *entries: Undo) -> list[str]:
    return differences(cluster.platform(), before, [GPU_A], entries)


def test_as_before(cluster: RunnerCluster) -> None:
    assert differs(cluster, look(cluster.platform())) == []


def test_a_node_that_was_not_heard_of_since_its_power_cut_is_not_back_although_it_says_ready(cluster: RunnerCluster) -> None:
    before = look(cluster.platform())
    cut = Undo(kind=UndoKind.POWER_ON, activity="a", object="gpu-a", detail=NOW.isoformat(), ends_by_ns=0, done=True)
    heard(cluster, NOW - timedelta(seconds=1))
    assert differs(cluster, before, cut) == ["node gpu-a: its kubelet has not spoken since its power was cut"]
    heard(cluster, NOW + timedelta(seconds=30))
    assert differs(cluster, before, cut) == []


def test_what_a_node_lacks(cluster: RunnerCluster) -> None:
    before = look(cluster.platform())
    node = cluster.nodes["gpu-a"]
    node.spec.unschedulable = True
    node.status.allocatable = {"nvidia.com/gpu": "1"}
    node.status.conditions[0].status = "Unknown"
    assert differs(cluster, before) == ["node gpu-a is not ready", "node gpu-a is cordoned", "node gpu-a has 1 of 2 nvidia.com/gpu"]
    del cluster.nodes["gpu-a"]
    assert differs(cluster, before)[0] == "node gpu-a is gone"


def test_a_node_that_was_cordoned_before_may_stay_so(cluster: RunnerCluster) -> None:
    cluster.nodes["gpu-a"].spec.unschedulable = True
    assert differs(cluster, look(cluster.platform())) == []


def test_missing_replicas_and_replicas_that_only_seem_ready(cluster: RunnerCluster) -> None:
    before = look(cluster.platform())
    probe = client.V1Probe(http_get=client.V1HTTPGetAction(path="/health", port=8000))
    cluster.pods["ml-serving", "inference-c"].spec.containers[0].readiness_probe = probe
    cluster.silent.add("inference-c:8000")
    assert differs(cluster, before) == [
        "pod inference-c of role inference is ready by the API server, but its :8000/health "
        "answers nothing within 2 s (asked through pods/proxy)"
    ]
    cluster.pods["ml-serving", "inference-a"] = pod("inference-a", ready=False)
    assert differs(cluster, before) == ["role inference has 2 of 3 replicas ready"]


def test_a_pod_that_is_still_leaving_is_waited_for_since_the_next_preflight_would_refuse_it(cluster: RunnerCluster) -> None:
    before = look(cluster.platform())
    evicted = pod("inference-old")
    evicted.metadata.deletion_timestamp = NOW
    cluster.pods["ml-serving", "inference-old"] = evicted
    assert complaints(cluster.platform(), before) == ["role inference has 4 pods for 3 replicas: something is being replaced"]
    assert differs(cluster, before) == ["role inference: inference-old is still leaving"]
    del cluster.pods["ml-serving", "inference-old"]
    assert differs(cluster, before) == complaints(cluster.platform(), before) == []


def test_replicas_that_an_autoscaler_added_are_not_waited_for(cluster: RunnerCluster) -> None:
    before = look(cluster.platform())
    cluster.pods["ml-serving", "inference-d"] = pod("inference-d")
    assert differs(cluster, before) == []


def test_the_longest_grace_of_the_roles_pods_is_read(cluster: RunnerCluster) -> None:
    cluster.pods["ml-serving", "gateway-a"].spec.termination_grace_period_seconds = 35
    cluster.pods["monitoring", "prometheus-0"].spec.termination_grace_period_seconds = 300  # no role's
    assert look(cluster.platform()).grace_s == 35
