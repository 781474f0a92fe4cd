"""Evidence is true after the effect, false without it, and no data where nothing can be seen."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client

from history.errors import NoData
from history.plan import ResolvedTarget
from history.schema import EventKind
from kube import container_exec
from kube.container_exec import Process
from kube.selection import node_target, pod_target
from probes import gpus, nodes, pods, processes, replicas
from safety import undo
from safety.active_run import ActiveRun
from testing.platform.fake_cluster import FakeCluster
from testing.platform.fake_run import live_run

EVIDENCE: list[Callable[[str], bool]] = [
    pods.gone,
    processes.frozen,
    processes.killed,
    nodes.cordoned,
    nodes.drained,
    nodes.powered_off,
    nodes.silent,
    gpus.allocatable_dropped,
]


class Seen:
    """What the kernel says of the processes in the target's container; changed by the test."""

    def __init__(self) -> None:
        self.processes = [Process(1, "python", "S", 500.0, "python -m workloads.inference.api"), self.engine()]

    @staticmethod
    def engine(state: str = "S", age_s: float = 500.0) -> Process:
        return Process(7, "EngineCore", state, age_s, "python -m workloads.inference.engine /tmp/x")


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def run(cluster: FakeCluster, tmp_path: Path) -> ActiveRun:
    """A run whose action ``act`` was aimed at a pod, at two nodes and at a device."""
    pod, one, two = cluster.pods[("ml-serving", "inference-b")], cluster.nodes["cpu-b"], cluster.nodes["gpu-b"]
    device = ResolvedTarget(kind="Device", name="GPU-1", node="gpu-b", uid=two.metadata.uid)
    for name in cluster.nodes:
        lease(cluster, name, age_s=5)
    return live_run(cluster, tmp_path, {"act": [pod_target(pod, "", ""), node_target(one, "", ""), node_target(two, "", ""), device]})


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    made = Seen()
    monkeypatch.setattr(container_exec, "processes", lambda *_: made.processes)
    return made


def lease(cluster: FakeCluster, node: str, age_s: float) -> None:
    renewed = datetime.now(UTC) - timedelta(seconds=age_s)
    spec = SimpleNamespace(renew_time=renewed, lease_duration_seconds=40)
    cluster.leases[node] = SimpleNamespace(metadata=SimpleNamespace(name=node), spec=spec)


@pytest.fixture
def kubelet() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def listen(cluster: FakeCluster, port: int) -> None:
    for node in cluster.nodes.values():
        node.status.daemon_endpoints = client.V1NodeDaemonEndpoints(kubelet_endpoint=client.V1DaemonEndpoint(port=port))


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_false_where_nothing_happened(
    evidence: Callable[[str], bool], cluster: FakeCluster, run: ActiveRun, seen: Seen, kubelet: int
) -> None:
    listen(cluster, kubelet)
    run.log.event(EventKind.FAULT_START, "act")
    assert evidence("act") is False


@pytest.mark.parametrize("evidence", [pods.gone, nodes.cordoned, nodes.powered_off, nodes.silent, gpus.allocatable_dropped])
def test_no_data_for_a_fault_of_another_kind(evidence: Callable[[str], bool], run: ActiveRun) -> None:
    run.targets["act"] = [ResolvedTarget(kind="Something", name="x")]
    with pytest.raises(NoData, match="none of its targets is a"):
        evidence("act")


def test_a_pod_is_gone_even_if_a_new_one_has_its_name(cluster: FakeCluster, run: ActiveRun) -> None:
    cluster.pods[("ml-serving", "inference-b")].metadata.uid = "another"
    assert pods.gone("act")


def test_an_engine_in_state_t_is_frozen(run: ActiveRun, seen: Seen) -> None:
    seen.processes[1] = Seen.engine(state="T")
    assert processes.frozen("act")


def test_a_stopped_process_that_is_not_the_engine_proves_nothing(run: ActiveRun, seen: Seen) -> None:
    seen.processes.append(Process(9, "sh", "T", 500.0, "sh -c something"))
    assert not processes.frozen("act")


def test_no_engine_at_all_is_not_a_frozen_one(run: ActiveRun, seen: Seen) -> None:
    del seen.processes[1]
    assert not processes.frozen("act")


@pytest.mark.parametrize("left", [[], [Seen.engine(age_s=0.5)]])
def test_an_engine_that_ended_or_is_younger_than_the_fault_was_killed(run: ActiveRun, seen: Seen, left: list[Process]) -> None:
    run.log.event(EventKind.FAULT_START, "act", t_ns=run.log.event(EventKind.NOTE) - 2_000_000_000)
    seen.processes[1:] = left
    assert processes.killed("act")


def test_a_restart_that_kubernetes_counted_is_evidence(cluster: FakeCluster, run: ActiveRun, seen: Seen) -> None:
    run.log.event(EventKind.FAULT_START, "act")
    status = cluster.pods[("ml-serving", "inference-b")].status.container_statuses[0]
    now = datetime.now(UTC).replace(microsecond=0)
    for finished_at, evidence in ((now, True), (now - timedelta(minutes=5), False)):  # the second: an older restart
        ended = client.V1ContainerStateTerminated(exit_code=137, finished_at=finished_at)
        status.last_state = client.V1ContainerState(terminated=ended)
        assert processes.killed("act") is evidence


def test_a_pod_that_is_gone_as_a_whole_says_nothing_of_its_engine(cluster: FakeCluster, run: ActiveRun, seen: Seen) -> None:
    run.log.event(EventKind.FAULT_START, "act")
    del cluster.pods[("ml-serving", "inference-b")]
    for evidence in (processes.frozen, processes.killed):
        with pytest.raises(NoData, match="gone"):
            evidence("act")


def test_cordoned_and_drained(cluster: FakeCluster, run: ActiveRun) -> None:
    undo.cordon(run.platform, "cpu-b", "run-1")
    assert not nodes.cordoned("act")
    undo.cordon(run.platform, "gpu-b", "run-1")
    assert nodes.cordoned("act")
    assert not nodes.drained("act")
    for key in [key for key, pod in cluster.pods.items() if pod.spec.node_name in {"cpu-b", "gpu-b"}]:
        del cluster.pods[key]
    assert nodes.drained("act")


def test_a_node_is_off_when_its_lease_is_overdue_and_its_kubelet_silent(cluster: FakeCluster, run: ActiveRun, kubelet: int) -> None:
    listen(cluster, 9)  # discard: nobody listens
    assert not nodes.powered_off("act")
    lease(cluster, "cpu-b", age_s=13)
    assert not nodes.powered_off("act")
    lease(cluster, "gpu-b", age_s=13)
    assert nodes.powered_off("act")
    listen(cluster, kubelet)
    assert not nodes.powered_off("act")


def test_a_node_whose_stopped_kubelet_still_takes_connections_is_silent(cluster: FakeCluster, run: ActiveRun, kubelet: int) -> None:
    listen(cluster, kubelet)
    lease(cluster, "cpu-b", age_s=13)
    assert not nodes.silent("act")
    lease(cluster, "gpu-b", age_s=13)
    assert nodes.silent("act")
    lease(cluster, "gpu-b", age_s=1)
    assert not nodes.silent("act")
    cluster.nodes["gpu-b"].status.conditions[0].status = "Unknown"
    assert nodes.silent("act")


def test_a_silent_node_whose_pods_answer_has_a_frozen_kubelet_alone(
    cluster: FakeCluster, run: ActiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = True
    monkeypatch.setattr(nodes, "port_of", lambda _pod: 8000)
    monkeypatch.setattr(nodes, "reaches", lambda *_: answering)
    assert not nodes.silent_alive("act", "inference")
    for name in ("cpu-b", "gpu-b"):
        lease(cluster, name, age_s=13)
    assert nodes.silent_alive("act", "inference")
    answering = False
    assert not nodes.silent_alive("act", "inference")
    del cluster.pods[("ml-serving", "inference-b")]
    with pytest.raises(NoData, match="no pod of role inference is on cpu-b, gpu-b"):
        nodes.silent_alive("act", "inference")


def test_a_lost_device_is_seen_by_kubernetes(cluster: FakeCluster, run: ActiveRun) -> None:
    cluster.nodes["gpu-b"].status.allocatable["nvidia.com/gpu"] = "1"
    assert gpus.allocatable_dropped("act")


def test_replicas(cluster: FakeCluster, run: ActiveRun) -> None:
    assert (replicas.ready("inference"), replicas.missing("inference")) == (3, 0)
    cluster.pods[("ml-serving", "inference-a")].status.conditions[0].status = "False"
    assert (replicas.ready("inference"), replicas.missing("inference")) == (2, 1)


def test_a_replica_that_does_not_serve_is_not_ready_whatever_its_condition_says(cluster: FakeCluster, run: ActiveRun) -> None:
    """Kubernetes goes on calling the pods of a node without power Ready for 50 s."""
    cluster.silent.add("inference-a:8000")
    assert (replicas.ready("inference"), replicas.missing("inference")) == (2, 1)


def test_a_replica_that_nobody_can_ask_is_ready_while_its_node_is_heard_of(cluster: FakeCluster, run: ActiveRun) -> None:
    assert replicas.missing("gateway") == 0
    lease(cluster, "cpu-a", age_s=13)
    assert replicas.missing("gateway") == 1
    cluster.leases.clear()  # who may not read it, or finds none, knows nothing of the node
    assert replicas.missing("gateway") == 0


def test_a_replica_without_a_health_endpoint_is_asked_what_its_readiness_probe_asks(cluster: FakeCluster, run: ActiveRun) -> None:
    probe = client.V1Probe(http_get=client.V1HTTPGetAction(path="/gateway-health", port=8080))
    cluster.pods[("ml-serving", "gateway-a")].spec.containers[0].readiness_probe = probe
    assert replicas.missing("gateway") == 0
    cluster.silent.add("gateway-a:8080")
    assert replicas.missing("gateway") == 1


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_an_api_server_that_does_not_answer_is_no_data(
    evidence: Callable[[str], bool], cluster: FakeCluster, run: ActiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise client.exceptions.ApiException(status=503, reason="Service Unavailable")

    run.log.event(EventKind.FAULT_START, "act")
    for name in ("read_node", "read_namespaced_pod"):
        monkeypatch.setattr(cluster, name, away)
    monkeypatch.setattr(cluster, "read_namespaced_lease", away)
    with pytest.raises(NoData, match="503"):
        evidence("act")
