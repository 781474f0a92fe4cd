"""Nodes are asked for by name, by zone, or by what is wrong with them; never all of them."""

from __future__ import annotations

from typing import Any

import pytest

from kube.lists import nodes
from testing.platform.fake_cluster import FakeCluster, node, pod


class Noted(FakeCluster):
    """Notes how nodes are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []

    def list_node(self, **options: Any) -> Any:
        self.asked.append(options)
        return super().list_node(**options)


@pytest.fixture
def cluster() -> Noted:
    return Noted()


def names(found: list[Any]) -> list[str]:
    return [one.metadata.name for one in found]


def test_few_nodes_are_asked_for_by_name_and_missing_ones_left_out(cluster: Noted) -> None:
    assert names(nodes.nodes_named(cluster.platform(), ["gpu-b", "cpu-a", "gone"])) == ["cpu-a", "gpu-b"]
    assert sorted(one["field_selector"] for one in cluster.asked) == [f"metadata.name={name}" for name in ("cpu-a", "gone", "gpu-b")]


def test_many_nodes_are_asked_for_by_their_host_names_and_odd_ones_by_name(cluster: Noted) -> None:
    many = [f"worker-{number:03d}" for number in range(120)]
    cluster.nodes |= {name: node(name, "zone-a", labels={nodes.HOSTNAME: name}) for name in many}
    cluster.nodes["worker-007"].metadata.labels[nodes.HOSTNAME] = "ip-10-0-0-7.internal"
    assert names(nodes.labels_of_nodes(cluster.platform(), many)) == many
    assert [len(one["label_selector"].split(",")) for one in cluster.asked if "label_selector" in one] == [50, 50, 20]
    assert [one["field_selector"] for one in cluster.asked if "field_selector" in one] == ["metadata.name=worker-007"]


def test_the_zones_of_some_nodes_with_all_their_nodes(cluster: Noted) -> None:
    found = nodes.zones_of(cluster.platform(), ["gpu-b", "cpu-c"])
    assert {zone: names(those) for zone, those in found.items()} == {"zone-b": ["cpu-b", "gpu-b"], "zone-c": ["cpu-c", "gpu-c"]}
    assert all("field_selector" in one or "label_selector" in one for one in cluster.asked)


def test_a_node_without_a_zone_is_of_none(cluster: Noted) -> None:
    cluster.nodes["bare"] = node("bare", "")
    del cluster.nodes["bare"].metadata.labels["topology.kubernetes.io/zone"]
    assert nodes.zones_of(cluster.platform(), ["bare"]) == {}
    assert nodes.other_zones(cluster.platform(), [])


@pytest.mark.parametrize(("zones", "others"), [(["zone-a", "zone-b"], True), (["zone-a", "zone-b", "zone-c"], False)])
def test_whether_there_are_other_zones(cluster: Noted, zones: list[str], others: bool) -> None:
    assert nodes.other_zones(cluster.platform(), zones) is others


def test_only_nodes_that_take_no_pods_are_asked_for_as_such(cluster: Noted) -> None:
    cluster.nodes["cpu-b"].spec.unschedulable = True
    assert names(nodes.unschedulable_nodes(cluster.platform())) == ["cpu-b"]


def test_pods_that_have_ended_are_not_at_work(cluster: Noted) -> None:
    cluster.pods["ml-serving", "done"] = done = pod("done", "gpu-a")
    done.status.phase = "Succeeded"
    found = nodes.pods_at_work_on(cluster.platform(), ["gpu-a", "cpu-c"])
    assert {name: names(those) for name, those in found.items()} == {"cpu-c": ["gateway-c", "decoy-2"], "gpu-a": ["inference-a"]}
