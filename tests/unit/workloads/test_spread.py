"""When replicas stand in fewer zones than their Deployment wants."""

from typing import Any

from workloads import spread


def deployment(gpu: bool, constrained: bool = True) -> dict[str, Any]:
    constraint = [{"topologyKey": spread.ZONE, "maxSkew": 1}] if constrained else []
    container = {"resources": {"limits": {spread.GPU: "1"}}} if gpu else {}
    return {"spec": {"template": {"spec": {"containers": [container], "topologySpreadConstraints": constraint}}}}


def node(name: str, ready: str = "True", cordoned: bool = False) -> dict[str, Any]:
    gpus = {spread.GPU: "2"} if name.startswith("gpu") else {}
    status = {"conditions": [{"type": "Ready", "status": ready}], "allocatable": gpus}
    return {"metadata": {"name": name, "labels": {spread.ZONE: name[-1]}}, "spec": {"unschedulable": cordoned}, "status": status}


def pod(node_name: str, phase: str = "Running", **metadata: str) -> dict[str, Any]:
    return {"metadata": metadata, "spec": {"nodeName": node_name}, "status": {"phase": phase}}


NODES = [node(f"{kind}-{zone}") for kind in ("cpu", "gpu") for zone in "abc"]


def test_replicas_that_a_returned_zone_lacks_are_noticed() -> None:
    wants = deployment(gpu=True)
    crowded = spread.replicas_by_zone(wants, [pod("gpu-a"), pod("gpu-a"), pod("gpu-b")], NODES)
    assert (crowded, spread.uneven(wants, crowded)) == ({"a": 2, "b": 1, "c": 0}, True)
    even = spread.replicas_by_zone(wants, [pod("gpu-a"), pod("gpu-b"), pod("gpu-c")], NODES)
    assert not spread.uneven(wants, even)
    assert not spread.uneven(deployment(gpu=True, constrained=False), crowded)


def test_a_zone_that_could_take_no_replica_is_not_missed() -> None:
    pods, wants = [pod("gpu-a"), pod("gpu-a"), pod("gpu-b")], deployment(gpu=True)
    for broken in (node("gpu-c", ready="Unknown"), node("gpu-c", cordoned=True)):
        by_zone = spread.replicas_by_zone(wants, pods, [*(n for n in NODES if n["metadata"]["name"] != "gpu-c"), broken])
        assert (by_zone, spread.uneven(wants, by_zone)) == ({"a": 2, "b": 1}, False)


def test_pods_that_serve_nobody_do_not_count() -> None:
    pods = [
        pod("gpu-a"),
        pod("gpu-b", phase="Failed"),
        pod("gpu-b", deletionTimestamp="2026-01-01T00:00:00Z"),
        {**pod("gpu-a"), "spec": {}},
    ]
    assert spread.replicas_by_zone(deployment(gpu=True), pods, NODES) == {"a": 1, "b": 0, "c": 0}
