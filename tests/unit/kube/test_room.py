"""Room for what is displaced is looked for on as few nodes as it takes, and on all of them before it is said that there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from kubernetes import client

from kube.disruption.room import FIRST, find_room
from kube.objects import Pod
from testing.platform.fake_cluster import FakeCluster, node, pod

MANY = 200


class Crowd(FakeCluster):
    """Many nodes with one pod each, and an account of whose pods were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = {f"n-{number:03d}": worker(f"n-{number:03d}") for number in range(MANY)}
        self.pods = {}
        for name in self.nodes:
            self.add(asking(f"pod-{name}", name))
        self.looked: list[str] = []

    def add(self, made: Pod) -> None:
        self.pods[made.metadata.namespace, made.metadata.name] = made

    def list_pod_for_all_namespaces(self, field_selector: str = "", **more: object) -> Any:
        self.looked.append(field_selector.split(",", maxsplit=1)[0].removeprefix("spec.nodeName="))
        return super().list_pod_for_all_namespaces(field_selector, **more)


def worker(name: str, cpu: str = "4", **labels: str) -> Any:
    made = node(name, "zone-a", labels=labels)
    made.status.allocatable = {"cpu": cpu, "memory": "8Gi", "pods": "10"}
    return made


def asking(name: str, where: str, cpu: str = "1", **spec: Any) -> Pod:
    made = pod(name, where, **spec)
    made.spec.containers[0].resources = client.V1ResourceRequirements(requests={"cpu": cpu})
    return made


@pytest.fixture
def cluster() -> Crowd:
    return Crowd()


def names(pods: Sequence[Pod]) -> list[str]:
    return [one.metadata.name for one in pods]


def test_a_few_nodes_are_enough_where_there_is_room(cluster: Crowd) -> None:
    assert find_room(cluster.platform(), ["n-100"]).sentences == []
    assert len(cluster.looked) == 1 + FIRST


def test_all_nodes_are_looked_at_before_it_is_said_that_there_is_no_room(cluster: Crowd) -> None:
    cluster.add(asking("large", "n-100", cpu="4"))
    found = find_room(cluster.platform(), ["n-100"])
    assert names(found.without) == ["large"]
    assert sorted(cluster.looked) == sorted(cluster.nodes)
    assert found.lacking[0].endswith(f"and {MANY - 1 - 12} more")


def test_the_one_node_with_room_is_found(cluster: Crowd) -> None:
    cluster.add(asking("large", "n-100", cpu="4"))
    cluster.nodes["n-199"].status.allocatable["cpu"] = "8"
    assert find_room(cluster.platform(), ["n-100"]).sentences == []


def test_only_nodes_that_may_take_a_pod_are_asked_for_their_pods(cluster: Crowd) -> None:
    del cluster.pods["ml-serving", "pod-n-100"]
    cluster.add(asking("pinned", "n-100", node_selector={"disk": "fast"}))
    cluster.nodes["n-150"].metadata.labels["disk"] = "fast"
    assert find_room(cluster.platform(), ["n-100"]).sentences == []
    assert cluster.looked == ["n-100", "n-150"]


def test_a_pod_that_may_run_nowhere_else_does_not_make_every_node_be_asked(cluster: Crowd) -> None:
    cluster.add(asking("bound", "n-100", node_selector={"kubernetes.io/hostname": "n-100"}))
    found = find_room(cluster.platform(), ["n-100"])
    assert names(found.bound) == ["bound"]
    assert len(cluster.looked) == 1 + FIRST


def test_who_keeps_away_from_a_zone_is_held_against_all_of_it(cluster: Crowd) -> None:
    other = asking("rival", "n-199")
    other.metadata.labels = {"app": "rival"}
    cluster.add(other)
    term = client.V1PodAffinityTerm(
        topology_key="topology.kubernetes.io/zone", label_selector=client.V1LabelSelector(match_labels={"app": "rival"})
    )
    away = client.V1PodAntiAffinity(required_during_scheduling_ignored_during_execution=[term])
    cluster.add(asking("shy", "n-100", affinity=client.V1Affinity(pod_anti_affinity=away)))
    assert names(find_room(cluster.platform(), ["n-100"]).without) == ["shy"]


def test_a_node_without_pods_displaces_nothing_and_nobody_else_is_asked(cluster: Crowd) -> None:
    del cluster.pods["ml-serving", "pod-n-100"]
    assert find_room(cluster.platform(), ["n-100"]).sentences == []
    assert cluster.looked == ["n-100"]
