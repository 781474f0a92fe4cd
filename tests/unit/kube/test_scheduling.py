"""Whether what a fault displaces finds room: what the scheduler asks first, and what it would say."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client

from kube.objects import Node, Pod
from kube.scheduling import permits, requests, room
from testing.platform.fake_cluster import node, pod

GPU = "nvidia.com/gpu"


def asking(name: str, on: str | None, **asked: Any) -> Pod:
    """Return a pod with requests; ``gpu`` stands for the accelerator, anything else for itself."""
    made = pod(name, on)
    amounts = {GPU if key == "gpu" else key: value for key, value in asked.items()}
    made.spec.containers[0].resources = client.V1ResourceRequirements(requests=amounts)
    return made


def offering(name: str, **offered: Any) -> Node:
    made = node(name, "zone-x", labels={"kubernetes.io/hostname": name, "size": "8"})
    made.status.allocatable = {"pods": "10"} | {GPU if key == "gpu" else key: value for key, value in offered.items()}
    return made


def test_what_fits_is_not_worth_a_word() -> None:
    nodes = [offering("a", cpu="2", gpu="1"), offering("b", cpu="2", gpu="2")]
    found = room({"a"}, nodes, [asking("on-a", "a", cpu="500m", gpu="1"), asking("on-b", "b", cpu="1", gpu="1")])
    assert (found.lacking, found.bound) == ((), ())


def test_what_does_not_fit_is_named_with_what_it_asks_and_where_it_might_run() -> None:
    nodes = [offering("a", cpu="2", gpu="1"), offering("b", cpu="2", gpu="1")]
    found = room({"a"}, nodes, [asking("on-a", "a", cpu="500m", gpu="1"), asking("on-b", "b", cpu="1", gpu="1")])
    assert found.lacking == ("pod ml-serving/on-a (cpu 0.5, nvidia.com/gpu 1) finds no room on b",)


def test_two_that_would_fit_alone_do_not_fit_together() -> None:
    nodes = [offering("a", memory="4Gi"), offering("b", memory="3Gi")]
    found = room({"a"}, nodes, [asking("one", "a", memory="2Gi"), asking("two", "a", memory="2Gi")])
    assert len(found.lacking) == 1


def test_the_number_of_pods_is_a_request_too() -> None:
    nodes = [offering("a"), offering("b", pods="1")]
    assert room({"a"}, nodes, [asking("one", "a"), asking("two", "b")]).lacking == ("pod ml-serving/one (no requests) finds no room on b",)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda n: setattr(n.spec, "unschedulable", True), "cordoned"),
        (lambda n: setattr(n.status.conditions[0], "status", "Unknown"), "not ready"),
        (lambda n: setattr(n.spec, "taints", [client.V1Taint(key="only", value="others", effect="NoSchedule")]), "tainted"),
    ],
)
def test_a_node_that_takes_nobody_is_no_room(change: Any, why: str) -> None:
    other = offering("b", cpu="2")
    change(other)
    found = room({"a"}, [offering("a", cpu="2"), other], [asking("one", "a", cpu="1")])
    assert found.lacking == ()
    assert [pod.metadata.name for pod in found.bound] == ["one"]
    assert found.sentences == [
        "pod ml-serving/one may run on no other node (its selector, its affinity, their taints): it waits until its node is back"
    ], why


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "only", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "only", "value": "others"}, True),
        ({"key": "only", "value": "us"}, False),
        ({"key": "only", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_a_taint_and_its_toleration(toleration: dict[str, str], tolerated: bool) -> None:
    tainted = offering("b")
    tainted.spec.taints = [client.V1Taint(key="only", value="others", effect="NoSchedule")]
    one = asking("one", "a")
    one.spec.tolerations = [client.V1Toleration(**toleration)]
    assert permits(tainted, one) is tolerated


@pytest.mark.parametrize(
    ("key", "operator", "values", "holds"),
    [
        ("size", "In", ["4", "8"], True),
        ("size", "NotIn", ["8"], False),
        ("size", "Exists", None, True),
        ("size", "DoesNotExist", None, False),
        ("size", "Gt", ["4"], True),
        ("size", "Lt", ["4"], False),
        ("nothing", "NotIn", ["8"], True),
    ],
)
def test_required_node_affinity(key: str, operator: str, values: list[str] | None, holds: bool) -> None:
    one = asking("one", "a")
    term = client.V1NodeSelectorTerm(match_expressions=[client.V1NodeSelectorRequirement(key=key, operator=operator, values=values)])
    selector = client.V1NodeSelector(node_selector_terms=[term])
    one.spec.affinity = client.V1Affinity(node_affinity=client.V1NodeAffinity(required_during_scheduling_ignored_during_execution=selector))
    assert permits(offering("b"), one) is holds


def test_a_node_selector() -> None:
    one = asking("one", "a")
    one.spec.node_selector = {"size": "9"}
    assert not permits(offering("b"), one)


def test_replicas_that_must_not_meet_find_no_room_beside_each_other() -> None:
    term = client.V1PodAffinityTerm(
        topology_key="kubernetes.io/hostname", label_selector=client.V1LabelSelector(match_labels={"app": "inference"})
    )
    apart = client.V1Affinity(pod_anti_affinity=client.V1PodAntiAffinity(required_during_scheduling_ignored_during_execution=[term]))
    pods = [asking("one", "a"), asking("two", "b")]
    for one in pods:
        one.spec.affinity = apart
    assert len(room({"a"}, [offering("a"), offering("b")], pods).lacking) == 1
    assert not room({"a"}, [offering("a"), offering("b"), offering("c")], pods).lacking


def test_what_belongs_to_a_node_or_has_ended_is_not_displaced() -> None:
    daemon, ended = pod("daemon", "a", owner="DaemonSet"), pod("ended", "a")
    ended.status.phase = "Succeeded"
    assert room({"a"}, [offering("a")], [daemon, ended]) == room({"a"}, [offering("a")], [])


def test_requests_count_as_the_scheduler_counts_them() -> None:
    one = asking("one", "a", cpu="100m")

    def init(cpu: str, restart: str | None = None) -> client.V1Container:
        resources = client.V1ResourceRequirements(requests={"cpu": cpu})
        return client.V1Container(name="i", resources=resources, restart_policy=restart)

    one.spec.init_containers = [init("50m", "Always"), init("1")]
    one.spec.overhead = {"cpu": "10m"}
    assert {key: float(value) for key, value in requests(one).items()} == {"cpu": 1.01, "pods": 1.0}
    one.spec.init_containers.pop()
    assert float(requests(one)["cpu"]) == 0.16
