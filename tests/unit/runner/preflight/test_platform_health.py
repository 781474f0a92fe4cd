"""Healed is what is proven: fresh news of the node, replicas that answer, nothing cordoned, every accelerator back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from kubernetes import client

from history.plan import ResolvedTarget
from kube.client import Platform
from runner.preflight.platform_health import Before, complaints, differences, look, resizings, with_targets
from safety.undo_journal import Undo, UndoKind
from target.role import Controller
from testing.platform.fake_cluster import NOW, local_target, pod
from testing.platform.workload_kinds import autoscaler, canary, scaled, stateful
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


def test_a_node_that_hosts_nothing_is_compared_too_if_it_is_to_be_hit(cluster: RunnerCluster) -> None:
    cluster.pods = {key: one for key, one in cluster.pods.items() if one.spec.node_name != "gpu-a"}
    before = look(cluster.platform())
    assert "gpu-a" not in before.nodes
    before = with_targets(cluster.platform(), before, [GPU_A])
    cluster.nodes["gpu-a"].spec.unschedulable = True
    assert "node gpu-a is cordoned" in differs(cluster, before)


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


def test_why_a_replica_is_missing_is_said_in_the_words_of_scheduler_and_kubelet(cluster: RunnerCluster) -> None:
    before = look(cluster.platform())
    pending, crashing = pod("inference-a", None, ready=False), pod("inference-b", ready=False)
    pending.status.phase = "Pending"
    no_room = {"reason": "Unschedulable", "message": "0/6 nodes:\n Insufficient nvidia.com/gpu."}
    pending.status.conditions.append(client.V1PodCondition(type="PodScheduled", status="False", **no_room))
    gate = {"reason": "ReadinessGatesNotReady", "message": 'gate "target-health" is not "True"'}
    cluster.pods["ml-serving", "gateway-a"].status.conditions = [client.V1PodCondition(type="Ready", status="False", **gate)]
    starting = pod("inference-c", ready=False)
    for one, reason, text in ((crashing, "CrashLoopBackOff", "back-off 5m0s"), (starting, "ContainerCreating", None)):
        waiting = client.V1ContainerStateWaiting(reason=reason, message=text)
        one.status.container_statuses[0].state = client.V1ContainerState(waiting=waiting)
    for one in (pending, crashing, starting):
        cluster.pods["ml-serving", one.metadata.name] = one
    wrong = complaints(cluster.platform(), before)
    assert [text for text in wrong if 'gateway-a is Running: ReadinessGatesNotReady: gate "target-health" is not "True"' in text]
    assert (
        "role inference has 0 of 3 replicas ready (inference-a is Pending: Unschedulable: 0/6 nodes: Insufficient nvidia.com/gpu.; "
        "inference-b is Running: container server: CrashLoopBackOff back-off 5m0s)"
    ) in wrong


def test_a_pod_that_is_still_leaving_is_waited_for_since_the_next_preflight_would_refuse_it(cluster: RunnerCluster) -> None:
    before = look(cluster.platform())
    evicted = pod("inference-old")
    evicted.metadata.deletion_timestamp = NOW
    cluster.pods["ml-serving", "inference-old"] = evicted
    [wrong] = complaints(cluster.platform(), before)
    assert wrong.startswith(
        "role inference has 4 pods for 3 replicas: inference-old is stuck Terminating: it was due to be gone at 2026-11-01"
    )
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


def names_no_controller(cluster: RunnerCluster) -> Platform:
    inference = local_target().roles["inference"].model_copy(update={"controller": None})
    return cluster.platform(local_target(roles=local_target().roles | {"inference": inference}))


def of_stateful_set(cluster: RunnerCluster) -> Platform:
    controller = Controller(kind="StatefulSet", name="inference")
    inference = local_target().roles["inference"].model_copy(update={"controller": controller})
    return cluster.platform(local_target(roles=local_target().roles | {"inference": inference}))


@pytest.mark.parametrize("made", [names_no_controller, of_stateful_set])
def test_a_role_of_a_stateful_set_is_counted_by_it(cluster: RunnerCluster, made: Callable[[RunnerCluster], Platform]) -> None:
    stateful(cluster)
    platform = made(cluster)
    before = look(platform)
    assert before.replicas["inference"] == 3
    assert complaints(platform, before) == []
    scaled(cluster, 4)
    assert complaints(platform, before) == ["role inference has 3 of 4 replicas ready"]


def test_as_before_is_what_the_controllers_want_now_and_who_changed_that_is_said(cluster: RunnerCluster) -> None:
    stateful(cluster)
    platform = names_no_controller(cluster)
    before = replace(look(platform), at=NOW)
    assert resizings(platform, before) == []
    scaled(cluster, 2, "kube-controller-manager", "scale")
    autoscaler(
        cluster, "serving", ("StatefulSet", "inference"), "New size: 2; reason: All metrics below target", NOW + timedelta(seconds=30)
    )
    autoscaler(cluster, "other", ("StatefulSet", "else"), "New size: 2; reason: All metrics below target", NOW + timedelta(seconds=30))
    del cluster.pods["ml-serving", "inference-2"]
    assert differences(platform, before, [], []) == []
    assert resizings(platform, before) == [
        "role inference: StatefulSet inference was scaled from 3 to 2 replicas meanwhile by kube-controller-manager through its scale at "
        "2026-11-01T12:00:30Z; HorizontalPodAutoscaler serving said: New size: 2; reason: All metrics below target"
    ]


def test_what_an_autoscaler_said_before_the_run_is_not_its_doing(cluster: RunnerCluster) -> None:
    stateful(cluster)
    platform = of_stateful_set(cluster)
    before = replace(look(platform), at=NOW)
    autoscaler(cluster, "serving", ("StatefulSet", "inference"), "New size: 3", NOW - timedelta(hours=1))
    scaled(cluster, 2, "kubectl-scale", "scale")
    assert resizings(platform, before)[0].endswith(
        "from 3 to 2 replicas meanwhile by kubectl-scale through its scale at 2026-11-01T12:00:30Z"
    )


def test_pods_of_another_controller_are_named_even_where_they_would_fill_a_gap(cluster: RunnerCluster) -> None:
    cluster.pods["ml-serving", "canary"] = canary()
    [wrong] = complaints(cluster.platform(), look(cluster.platform()))
    said = "inference-canary-5d8b-x is of Deployment inference-canary, not of Deployment inference: the selector app=inference selects both"
    assert wrong.startswith(f"role inference has 4 pods for 3 replicas: {said}")
    del cluster.pods["ml-serving", "inference-a"]
    assert any(said in text for text in complaints(cluster.platform(), look(cluster.platform())))


def test_a_pod_that_leaves_in_its_own_time_is_waited_for_and_one_that_is_stuck_is_named_with_its_finalizers(cluster: RunnerCluster) -> None:
    now = cluster.platform().server_time()
    old = cluster.pods["ml-serving", "inference-old"] = pod("inference-old")
    old.metadata.deletion_timestamp = now + timedelta(seconds=60)
    [wrong] = complaints(cluster.platform(), look(cluster.platform()))
    assert wrong.endswith("inference-old is Terminating; wait until it is gone")
    old.metadata.deletion_timestamp, old.metadata.finalizers = now - timedelta(hours=3), ["example.com/hold"]
    [wrong] = complaints(cluster.platform(), look(cluster.platform()))
    assert "inference-old is stuck Terminating" in wrong
    assert "its finalizers are example.com/hold, its node is gpu-a" in wrong
