"""How a role is built, as it is read from what the API server has: probes, limits, what pins its pods, disruption budgets, zones."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.layout import DisruptionLimit, Probe
from kube.client import Platform
from kube.layout.of_pod import gpus_of, has_pre_stop, memory_is_limited, pins_of, probe_of
from kube.layout.read import read_layout
from kube.layout.volumes import Pinned, pinned_by_volumes
from kube.lists.nodes import HOSTNAME
from testing.platform.fake_cluster import FakeCluster, pod

ZONES = {f"gpu-{one}": f"zone-{one}" for one in "abc"}


def required(key: str, *values: str, field: bool = False) -> Any:
    """Return a node selector that asks for a label, or a field, with one of these values."""
    asked = client.V1NodeSelectorRequirement(key=key, operator="In", values=list(values))
    term = client.V1NodeSelectorTerm(match_fields=[asked]) if field else client.V1NodeSelectorTerm(match_expressions=[asked])
    return client.V1NodeSelector(node_selector_terms=[term])


def apart(selector: Any) -> client.V1Affinity:
    return client.V1Affinity(node_affinity=client.V1NodeAffinity(required_during_scheduling_ignored_during_execution=selector))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, None),
        (client.V1Probe(http_get=client.V1HTTPGetAction(path="/health", port=8000)), Probe(asks="HTTP /health")),
        (client.V1Probe(tcp_socket=client.V1TCPSocketAction(port=1), period_seconds=3), Probe(asks="TCP", period_s=3)),
        (client.V1Probe.model_validate({"exec": {"command": ["x"]}, "timeoutSeconds": 4}), Probe(asks="a command", timeout_s=4)),
        (client.V1Probe(grpc=client.V1GRPCAction(port=1), initial_delay_seconds=9), Probe(asks="gRPC", delay_s=9)),
        (client.V1Probe(failure_threshold=1), Probe(asks="TCP", failures=1)),
    ],
)
def test_probes_have_kubernetes_defaults_filled_in(given: client.V1Probe | None, read: Probe | None) -> None:
    assert probe_of(given) == read


def test_gpus_are_counted_over_containers() -> None:
    asks = client.V1ResourceRequirements(limits={"nvidia.com/gpu": "2", "memory": "1Gi"})
    containers = [client.V1Container(name="a", resources=asks), client.V1Container(name="b"), client.V1Container(name="c", resources=asks)]
    pod: Any = client.V1Pod(spec=client.V1PodSpec(containers=containers))
    assert gpus_of(pod, "nvidia.com/gpu") == 4
    assert gpus_of(pod, "amd.com/gpu") == 0


def test_a_hook_and_a_limit_are_seen() -> None:
    hook = client.V1Lifecycle(pre_stop=client.V1LifecycleHandler(sleep=client.V1SleepAction(seconds=3)))
    assert has_pre_stop(client.V1Container(name="server", lifecycle=hook))
    assert not has_pre_stop(client.V1Container(name="server", lifecycle=client.V1Lifecycle()))
    one, limits = pod("inference-a"), client.V1ResourceRequirements(limits={"memory": "1Gi"})
    one.spec.containers[0].resources = None
    assert not memory_is_limited(one)
    one.spec.containers = [client.V1Container(name="server", resources=limits), client.V1Container(name="sidecar")]
    assert not memory_is_limited(one)  # a leak of the sidecar's has no bound
    one.spec.containers[1].resources = limits
    assert memory_is_limited(one)


@pytest.mark.parametrize(
    ("spec", "pins"),
    [
        ({}, []),
        ({"node_selector": {HOSTNAME: "gpu-a"}}, [f"nodeSelector {HOSTNAME}: gpu-a"]),
        ({"affinity": apart(required(HOSTNAME, "gpu-a"))}, ["nodeAffinity requires node gpu-a"]),
        ({"affinity": apart(required("metadata.name", "gpu-a", field=True))}, ["nodeAffinity requires node gpu-a"]),
        ({"affinity": apart(required(HOSTNAME, "gpu-a", "gpu-b"))}, []),
        ({"affinity": apart(required("topology.kubernetes.io/zone", "zone-a"))}, []),
    ],
)
def test_what_lets_a_pod_run_on_one_node_only(spec: dict[str, Any], pins: list[str]) -> None:
    assert list(pins_of(pod("inference-a", **spec))) == pins


def with_volume(volume: Any, claim: Any = "pv-1") -> tuple[Platform, list[Any]]:
    """Return a platform on which the claim of a pod leads to ``volume``; an error is raised."""

    def read(found: Any) -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    bound = claim if isinstance(claim, Exception) else SimpleNamespace(spec=SimpleNamespace(volume_name=claim))
    core: Any = SimpleNamespace(
        read_namespaced_persistent_volume_claim=lambda _name, _namespace: read(bound), read_persistent_volume=lambda _name: read(volume)
    )
    source = client.V1PersistentVolumeClaimVolumeSource(claim_name="data-0")
    made = pod("db-0", volumes=[client.V1Volume(name="data", persistent_volume_claim=source)])
    return replace(FakeCluster().platform(), core=core), [made, pod("other", volumes=[client.V1Volume(name="tmp")])]


def local(*nodes: str) -> Any:
    affinity = client.V1VolumeNodeAffinity(required=required(HOSTNAME, *nodes)) if nodes else None
    return SimpleNamespace(spec=SimpleNamespace(node_affinity=affinity))


FORBIDDEN = ApiException(status=403)
UNREAD = ("get persistentvolumeclaims in ml-serving, get persistentvolumes",)


@pytest.mark.parametrize(
    ("volume", "claim", "found"),
    [
        (local("gpu-a"), "pv-1", Pinned(("PersistentVolumeClaim data-0 lies on node gpu-a",))),
        (local(), "pv-1", Pinned(())),
        (local("gpu-a", "gpu-b"), "pv-1", Pinned(())),
        (local("gpu-a"), "", Pinned(())),  # not bound yet
        (local("gpu-a"), FORBIDDEN, Pinned((), UNREAD)),
        (FORBIDDEN, "pv-1", Pinned((), UNREAD)),
    ],
)
def test_volumes_of_one_node_pin_and_what_may_not_be_read_is_named(volume: Any, claim: Any, found: Pinned) -> None:
    assert pinned_by_volumes(*with_volume(volume, claim)) == found


def budget(name: str, app: str, healthy: int) -> Any:
    selector = client.V1LabelSelector(match_labels={"app": app})
    status = client.V1PodDisruptionBudgetStatus(
        current_healthy=3, desired_healthy=healthy, disruptions_allowed=3 - healthy, expected_pods=3
    )
    meta = client.V1ObjectMeta(name=name, namespace="ml-serving")
    return client.V1PodDisruptionBudget(metadata=meta, spec=client.V1PodDisruptionBudgetSpec(selector=selector), status=status)


def test_a_role_is_read_with_its_nodes_zones_budgets_and_what_users_allow() -> None:
    cluster = FakeCluster()
    cluster.budgets = [budget("inference", "inference", 2), budget("gateway", "gateway", 3)]
    found = read_layout(cluster.platform(), {"inference": 3, "gateway": 3}, ZONES)
    assert [one.role for one in found.roles] == ["inference", "gateway"]
    inference, gateway = found.roles
    assert (inference.ready, inference.nodes, inference.zones) == (3, 3, ("zone-a", "zone-b", "zone-c"))
    assert inference.disruption == (DisruptionLimit(name="inference", healthy=2, of=3),)
    assert [one.never for one in gateway.disruption or ()] == [True]
    assert inference.budgets == {"rto": 60}
    assert (inference.serves, gateway.serves, gateway.zones) == (True, True, None)  # nobody said in which zones cpu nodes lie
    assert (inference.ready_s, found.schedulers, found.unread) == (0, None, ())


def test_budgets_that_may_not_be_read_are_not_known_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube.layout.read.budgets_in", lambda *_: None)
    found = read_layout(FakeCluster().platform(), {"inference": 3}, ZONES)
    assert found.roles[0].disruption is None
    assert found.unread == ("list poddisruptionbudgets.policy in ml-serving",)
