"""Selectors become names, the same ones for the same seed, or a refusal."""

from __future__ import annotations

import pytest

from history.errors import FaultFailed, TargetRefused
from kube import selection
from testing.platform.fake_cluster import FakeCluster, local_target, pod, seeded


@pytest.mark.parametrize("selector", [None, "", "  ", "app!=inference", "!app", "a!=b,c!=d"])
def test_a_selector_that_selects_everything_is_refused(selector: str | None) -> None:
    with pytest.raises(TargetRefused, match="select"):
        selection.demand_selector(selector, "role inference")


@pytest.mark.parametrize("selector", ["app=inference", "app==inference", "app in (a,b)", "app in(a, b)", "x!=y, app=inference"])
def test_a_selector_that_says_what_is_meant_is_taken(selector: str) -> None:
    assert selection.demand_selector(selector, "role inference") == selector


def test_choosing_is_without_replacement_and_by_seed() -> None:
    items = [f"pod-{number}" for number in range(20)]
    first = selection.choose(items, 12, seeded(7), "pods")
    assert len(set(first)) == 12
    assert first == selection.choose(items, 12, seeded(7), "pods")
    assert first != selection.choose(items, 12, seeded(8), "pods")


@pytest.mark.parametrize(("count", "said"), [(0, "needs at least one"), (-1, "needs at least one"), (4, "3 found, 4 needed")])
def test_a_count_that_cannot_be_met_is_refused(count: int, said: str) -> None:
    with pytest.raises(TargetRefused, match=said):
        selection.choose(["a", "b", "c"], count, seeded(1), "pods")


def test_only_ready_pods_are_chosen() -> None:
    cluster = FakeCluster()
    cluster.pods[("ml-serving", "inference-b")].status.conditions[0].status = "False"
    assert [one.metadata.name for one in selection.ready_pods(cluster.platform(), "inference")] == ["inference-a", "inference-c"]


def test_a_role_without_ready_pods_is_refused() -> None:
    roles = local_target().roles
    roles = roles | {"inference": roles["inference"].model_copy(update={"selector": "app=nobody"})}
    with pytest.raises(TargetRefused, match=r"selector app=nobody in namespace ml-serving matches 0 pods, none of them ready"):
        selection.ready_pods(FakeCluster().platform(local_target(roles=roles)), "inference")


def test_a_node_that_hosts_an_instrument_is_never_chosen() -> None:
    names = [one.metadata.name for one in selection.nodes_hosting(FakeCluster().platform(), "gateway")]
    assert names == ["cpu-b", "cpu-c"]


def test_a_node_of_the_suite_s_own_pods_is_never_chosen() -> None:
    cluster = FakeCluster()
    cluster.pods[("aftershock", "reaper")] = pod("reaper", "gpu-c", namespace="aftershock", app="reaper")
    assert [one.metadata.name for one in selection.nodes_hosting(cluster.platform(), "inference")] == ["gpu-a", "gpu-b"]


def test_a_role_that_only_stands_beside_instruments_is_refused() -> None:
    cluster = FakeCluster()
    for letter in "bc":
        del cluster.pods[("ml-serving", f"gateway-{letter}")]
    with pytest.raises(TargetRefused, match=r"hosts an instrument \(\['cpu-a'\]\)"):
        selection.nodes_hosting(cluster.platform(), "gateway")


def test_a_zone_with_an_instrument_cannot_be_lost() -> None:
    zones = selection.zones_hosting(FakeCluster().platform(), "inference")
    assert {zone: [node.metadata.name for node in nodes] for zone, nodes in zones.items()} == {
        "zone-b": ["cpu-b", "gpu-b"],
        "zone-c": ["cpu-c", "gpu-c"],
    }


def test_replicas_that_moved_together_do_not_make_a_fault_larger() -> None:
    cluster = FakeCluster()
    cluster.pods[("ml-serving", "inference-d")] = pod("inference-d", "gpu-b")
    assert [one.metadata.name for one in selection.nodes_hosting(cluster.platform(), "inference")] == ["gpu-a", "gpu-c"]
    assert list(selection.zones_hosting(cluster.platform(), "inference")) == ["zone-c"]


def test_the_only_zone_cannot_be_lost() -> None:
    cluster = FakeCluster()
    cluster.pods.pop(("monitoring", "prometheus-0"))
    for node in cluster.nodes.values():
        node.metadata.labels["topology.kubernetes.io/zone"] = "zone-a"
    with pytest.raises(TargetRefused, match="can be lost"):
        selection.zones_hosting(cluster.platform(), "inference")


def test_a_target_that_was_replaced_since_preflight_stops_the_fault() -> None:
    cluster = FakeCluster()
    target = selection.pod_target(cluster.pods[("ml-serving", "inference-a")], "", "")
    assert [one.metadata.name for one in selection.still_there(cluster.platform(), [target])] == ["inference-a"]
    cluster.pods[("ml-serving", "inference-a")].metadata.uid = "another"
    with pytest.raises(FaultFailed, match=r"uid-inference-a.* gone or being deleted now; nothing was touched"):
        selection.still_there(cluster.platform(), [target])
