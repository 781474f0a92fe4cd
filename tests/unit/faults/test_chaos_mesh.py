"""Faults by Chaos Mesh: what its objects say, what is written ahead, when a fault is taken for made, what preflight refuses."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client

import faults.network
import faults.pods
import faults.ranks
from faults.mechanisms import chaos_mesh
from faults.mechanisms.chaos_mesh import all_but, own_addresses
from history.errors import FaultFailed, TargetRefused
from history.plan import ResolvedTarget
from kube.chaos_mesh.chaos import NETWORK
from runner.experiment.catalogue import all_faults
from runner.preflight.checks import Fault, check_chaos
from safety.undo_journal import UndoKind
from testing.platform.fake_cluster import FakeCluster, local_target, seeded
from testing.platform.fake_run import live_run
from testing.platform.in_memory.chaos_mesh import MeshCluster, mesh_target
from testing.runs.fault_parts import kinds, spec

ISOLATE: dict[str, Any] = {"role": "inference", "for_s": 30}
KILL: dict[str, Any] = {"role": "inference"}


def resolved(cluster: FakeCluster, action: Callable[..., Any], arguments: dict[str, Any]) -> list[ResolvedTarget]:
    return spec(action).resolve(cluster.platform(), arguments, seeded(7))


def test_a_cut_spares_the_node_alone_is_bounded_and_written_ahead(tmp_path: Path) -> None:
    cluster = MeshCluster()
    for node in cluster.nodes.values():
        node.spec.pod_cidrs = ["10.244.3.0/24", "fd00::/64"]
    (target,) = targets = resolved(cluster, faults.network.isolate, ISOLATE)
    assert "only while its controller and the daemon on the pod's node live" in target.ends
    run = live_run(cluster, tmp_path, {"cut": targets})
    account = faults.network.isolate("inference", 30)
    (((plural, namespace, name), made),) = cluster.plain.items()
    assert (plural, namespace) == ("networkchaos", "aftershock")
    assert made["spec"]["selector"] == {"pods": {"ml-serving": [target.name]}}
    assert (made["spec"]["direction"], made["spec"]["duration"]) == ("both", "30s")
    cut = made["spec"]["externalTargets"]
    assert not [address for address in ("127.0.0.1", "10.244.3.1") if covered(cut, address)]
    assert all(covered(cut, address) for address in ("10.244.3.2", "0.0.0.0", "255.255.255.255"))  # noqa: S104 - nobody binds to it
    (entry,) = run.journal.entries()
    assert (entry.kind, entry.object, entry.namespace) == (UndoKind.DELETE_CHAOS, name, "aftershock")
    assert [call for call in cluster.calls if name in call] == [f"write ahead delete-chaos {name}", f"make networkchaos {name}"]
    assert account["targets"] == [target.name]
    assert kinds(tmp_path).count("fault.start") == 1


def covered(networks: list[str], address: str) -> bool:
    return any(IPv4Address(address) in IPv4Network(one) for one in networks)


def test_a_zone_is_cut_by_an_object_for_each_pod(tmp_path: Path) -> None:
    cluster = MeshCluster()
    cluster.pods["ml-serving", "inference-b"].spec.node_name = "cpu-a"
    targets = spec(faults.network.isolate_zone).resolve(cluster.platform(), ISOLATE, seeded(3))
    live_run(cluster, tmp_path, {"cut": targets})
    faults.network.isolate_zone("inference", 30)
    assert len(cluster.plain) == len(targets)


def test_nothing_but_what_is_spared_is_left_out() -> None:
    spared = {IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), IPv4Address("192.168.7.9")}
    networks = all_but(spared)
    assert sum(one.num_addresses for one in networks) == 2**32 - len(spared)
    assert not any(address in one for one in networks for address in spared)
    assert [str(one) for one in all_but(())] == ["0.0.0.0/1", "128.0.0.0/1"]  # an ipset takes no network of all addresses


def test_a_node_speaks_to_its_pods_from_its_own_addresses_and_its_plugins() -> None:
    node = FakeCluster().nodes["gpu-a"]
    node.spec.pod_cidr = "10.244.7.0/24"
    node.status.addresses = [client.V1NodeAddress(type="any", address=one) for one in ("127.0.0.1", "gpu-a", "fd00::1")]
    node.metadata.annotations = {"network.cilium.io/ipv4-cilium-host": "10.9.9.9", "somebody.else/address": "10.8.8.8"}
    pod = FakeCluster().pods["ml-serving", "inference-a"]
    pod.status.pod_ip = "10.252.3.77"
    assert own_addresses(node, pod) == {IPv4Address(one) for one in ("127.0.0.1", "10.244.7.1", "10.9.9.9")}
    node.spec.pod_cidr = None
    assert IPv4Address("10.252.3.1") in own_addresses(node, pod)
    node.spec.pod_cidr = "10.244.7.9/32"  # a plugin that gives each pod an address of its own
    assert own_addresses(node, pod) == {IPv4Address(one) for one in ("127.0.0.1", "10.9.9.9")}


def test_a_kill_is_over_when_the_pod_is_gone(tmp_path: Path) -> None:
    cluster = MeshCluster()
    targets = resolved(cluster, faults.pods.kill, KILL)
    run = live_run(cluster, tmp_path, {"kill": targets})
    account = faults.pods.kill("inference")
    assert account["injector"]
    ((_, made),) = cluster.plain.items()
    assert (made["spec"]["action"], made["spec"]["gracePeriod"]) == ("pod-kill", 0)
    assert not any(call.startswith("delete pod") for call in cluster.calls)
    assert [entry.kind for entry in run.journal.entries()] == [UndoKind.DELETE_CHAOS]
    assert "fault.end" in kinds(tmp_path)


def test_a_controller_that_says_so_and_kills_nothing_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults.pods, "GONE_S", 0.05)
    cluster = MeshCluster()
    cluster.acts = False
    live_run(cluster, tmp_path, {"kill": resolved(cluster, faults.pods.kill, KILL)})
    with pytest.raises(FaultFailed, match="still there"):
        faults.pods.kill("inference")


NOT_YET = [{"type": "Selected", "status": "True"}, {"type": "AllInjected", "status": "False"}]
OF_NOBODY = [{"type": "Selected", "status": "False"}, {"type": "AllInjected", "status": "True"}, {"type": "AllRecovered", "status": "True"}]
OTHER: list[dict[str, Any]] = [{"id": "ml-serving/gateway-a", "phase": "Injected"}]
FAILED: list[dict[str, Any]] = [{"id": "x", "phase": "Not Injected/Wait", "events": [{"type": "Failed", "message": "no ipset"}]}]


@pytest.mark.parametrize(
    ("conditions", "records", "says"),
    [
        (NOT_YET, None, "Selected"),
        (OF_NOBODY, None, "AllInjected"),
        (None, [], "true of it"),
        ([{}], [], "true of it is nothing"),
        ((), [], "it says: nothing; see kubectl -n aftershock get events"),
        (None, OTHER, "gateway-a"),
        (NOT_YET, FAILED, "no ipset"),
    ],
)
def test_what_the_controller_does_not_say_of_exactly_the_pod_fails_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conditions: Any, records: Any, says: str
) -> None:
    monkeypatch.setattr(chaos_mesh, "ACTS_S", 0.05)
    cluster = MeshCluster()
    cluster.conditions, cluster.records = cluster.conditions if conditions is None else conditions, records
    run = live_run(cluster, tmp_path, {"cut": resolved(cluster, faults.network.isolate, ISOLATE)})
    with pytest.raises(FaultFailed, match=rf"does not say within .* that it acted on pod .*{says}"):
        faults.network.isolate("inference", 30)
    assert len(run.journal.entries()) == 1  # heal ends what was made


def test_pods_with_ipv6_are_refused_since_they_would_stay_in_reach() -> None:
    cluster = MeshCluster()
    for one in cluster.pods.values():
        one.status.pod_ips = [client.V1PodIP(ip="10.244.3.9"), client.V1PodIP(ip="fd00::9")]
    with pytest.raises(TargetRefused, match="have an address of IPv6, and Chaos Mesh cuts IPv4 alone"):
        resolved(cluster, faults.network.isolate, ISOLATE)


KINDS: list[tuple[Any, dict[str, Any], str]] = [
    (faults.network.isolate, ISOLATE, "networkchaos"),
    (faults.network.isolate_zone, ISOLATE, "networkchaos"),
    (faults.pods.kill, KILL, "podchaos"),
    (faults.ranks.kill_coordinator, KILL, "podchaos"),
]


def test_every_fault_that_says_so_is_tried_here() -> None:
    assert {name for name, one in all_faults().items() if one.chaos_mesh} == {f"{one.__module__}.{one.__name__}" for one, _, _ in KINDS}


@pytest.mark.parametrize(("action", "arguments", "kind"), KINDS)
def test_rights_are_those_of_its_objects_and_no_fault_pod_is_asked_for(action: Any, arguments: dict[str, Any], kind: str) -> None:
    def asked(target: Any) -> set[tuple[str, str, str | None]]:
        needed = spec(action).permissions(FakeCluster().platform(target), arguments)
        return {(one.verb, one.resource, one.namespace) for one in needed}

    mesh, own = asked(mesh_target()), asked(local_target())
    assert {(verb, kind, "aftershock") for verb in ("create", "get", "delete")} | {
        ("create", kind, "ml-serving"),
        ("list", kind, None),
    } <= mesh
    assert not {("create", "pods", "aftershock"), ("delete", "pods", "ml-serving")} & mesh
    assert not [one for one in own if one[1].endswith("chaos")]


# preflight


def check(cluster: MeshCluster, *lost: str, also: dict[str, Any] | None = None) -> None:
    platform = cluster.platform()
    action = SimpleNamespace(name="cut")
    fault = Fault(action, spec(faults.network.isolate), ISOLATE)  # type: ignore[arg-type]  # of an action its name is asked for alone
    targets = {"cut": resolved(cluster, faults.network.isolate, ISOLATE)}
    targets |= {"lose": [ResolvedTarget(kind="Node", name=name, node=name) for name in lost]}
    check_chaos(fault, targets, platform)


def test_a_cluster_on_which_all_is_well_is_not_refused() -> None:
    cluster = MeshCluster()
    cluster.settings(CLUSTER_SCOPED="true", ENABLE_FILTER_NAMESPACE="false")
    check(cluster)
    assert not cluster.plain
    cluster.settings(ENABLE_FILTER_NAMESPACE="true")
    cluster.annotations["ml-serving"] = {"chaos-mesh.org/inject": "enabled"}
    check(cluster)


def test_a_fault_that_makes_no_chaos_asks_nothing() -> None:
    cluster = FakeCluster()  # it has no Chaos Mesh
    fault = Fault(SimpleNamespace(name="cut"), spec(faults.network.isolate), ISOLATE)  # type: ignore[arg-type]  # as above
    check_chaos(fault, {"cut": []}, cluster.platform())


def unserved(cluster: MeshCluster) -> None:
    cluster.resources = {one for one in cluster.resources if one[1] != NETWORK.plural}


def without_controller(cluster: MeshCluster) -> None:
    cluster.pods["chaos-mesh", "controller"].status.conditions = []


def without_daemons(cluster: MeshCluster) -> None:
    for node in cluster.nodes:
        cluster.pods["chaos-mesh", f"daemon-{node}"].status.conditions = []


def with_another(cluster: MeshCluster, **more: Any) -> None:
    for pod in ("a", "b", "c"):
        experiment = {"desiredPhase": "Run", "containerRecords": [{"id": f"ml-serving/inference-{pod}", "phase": "Injected"}]}
        body = {
            "metadata": {"namespace": "team", "name": f"delay-{pod}"},
            "spec": {"action": "delay"},
            "status": {"experiment": experiment},
        }
        cluster.plain["networkchaos", "team", f"delay-{pod}"] = body | more


REFUSED: list[tuple[Callable[[MeshCluster], Any], str]] = [
    (unserved, "the API server does not serve networkchaos.chaos-mesh.org; install Chaos Mesh, or leave chaos_mesh out"),
    (without_controller, "no pod of its controller is ready in namespace chaos-mesh"),
    (without_daemons, "no daemon of it is ready on node gpu-"),
    (lambda it: it.settings(CLUSTER_SCOPED="false", TARGET_NAMESPACE="team"), "it looks at chaos in namespace team alone"),
    (lambda it: it.settings(ENABLE_FILTER_NAMESPACE="true"), "kubectl annotate namespace ml-serving chaos-mesh.org/inject=enabled"),
    (with_another, "networkchaos team/delay-. acts on pod ml-serving/inference-. already"),
    (lambda it: setattr(it, "refusal", "account is forbidden on namespace ml-serving"), "is not admitted .*account is forbidden"),
]


@pytest.mark.parametrize(("wrong", "says"), REFUSED)
def test_what_could_not_be_made_or_ended_is_refused_in_a_sentence(wrong: Callable[[MeshCluster], Any], says: str) -> None:
    cluster = MeshCluster()
    wrong(cluster)
    with pytest.raises(TargetRefused, match=says) as refused:
        check(cluster)
    assert "nothing was injected" in str(refused.value)
    assert not [key for key in cluster.plain if key[1] == "aftershock"]


@pytest.mark.parametrize(
    "over",
    [
        {"spec": {"action": "pod-kill"}},
        {
            "status": {
                "experiment": {"desiredPhase": "Stop", "containerRecords": [{"id": "ml-serving/inference-a", "phase": "Not Injected"}]}
            }
        },
        {"status": {"experiment": {"desiredPhase": "Run", "containerRecords": [{"id": "ml-serving/inference-abc", "phase": "Injected"}]}}},
        {"status": {}},
    ],
)
def test_chaos_that_is_over_or_of_other_pods_is_in_nobodys_way(over: dict[str, Any]) -> None:
    cluster = MeshCluster()
    with_another(cluster, **over)
    check(cluster)


def test_a_node_whose_daemon_must_end_a_fault_is_not_taken_away() -> None:
    with pytest.raises(TargetRefused, match=r"another fault of this run takes node gpu-. away, whose daemon must end this one"):
        check(MeshCluster(), "gpu-a", "gpu-b", "gpu-c")
    check(MeshCluster(), "cpu-a")
