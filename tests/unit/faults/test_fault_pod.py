"""Fault pods: written ahead, with the least that their program needs, and a sentence for each way in which they do not start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import faults.network
import faults.nodes
import faults.zones
from faults.mechanisms import fault_pod
from faults.mechanisms.fault_pod import FaultPod, manifest
from history.errors import FaultFailed, TargetRefused
from history.plan import ResolvedTarget
from safety import active_run
from safety.active_run import ActiveRun
from safety.undo_confirmed import unconfirmed_undos
from safety.undo_journal import UndoKind
from testing.platform.fake_cluster import FakeCluster, local_target, pod, seeded
from testing.platform.fake_run import live_run
from testing.platform.fault_pods import WithPods

ARMED = {"armed": "isolate", "acts_in_s": 0.0}
DID = {"did": "isolate"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_pod, "START_S", 0.05)
    monkeypatch.setattr(fault_pod, "ACT_S", 0.05)
    monkeypatch.setattr(fault_pod, "POLL_S", 0.01)


def started(cluster: FakeCluster, run_dir: Path, function: Any, **arguments: Any) -> ActiveRun:
    platform = cluster.platform(local_target(machines=None))
    run = live_run(cluster, run_dir, {"act": function.__fault__.resolve(platform, arguments, seeded(7))})
    run.platforms = {"default": platform}
    return run


def kinds(run_dir: Path) -> list[str]:
    file = run_dir / "events.test.jsonl"
    return [kind for line in file.read_text().splitlines() if (kind := json.loads(line)["kind"]) != "clock"]


def test_the_pod_has_what_its_program_needs_and_nothing_else() -> None:
    target = ResolvedTarget(kind="Pod", name="inference-a", uid="u", node="gpu-a")
    body = manifest("registry/suite@sha256:abc", "run-1", "cut", FaultPod(target, "gpu-a", ("isolate", "--pod", "u"), 30), 1000.0)
    spec = body["spec"]
    (container,) = spec["containers"]
    assert spec["nodeName"] == "gpu-a"
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    assert "volumes" not in spec
    assert 30 <= spec["activeDeadlineSeconds"] < 120
    assert container["image"] == "registry/suite@sha256:abc"
    assert container["command"][-7:] == ["isolate", "--pod", "u", "--for", "30", "--not-after", "1000.000"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN", "SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE"]}
    assert "privileged" not in container["securityContext"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert body["metadata"]["labels"]["aftershock.dev/run"] == "run-1"


def test_no_profile_of_the_node_s_confines_it() -> None:
    target = ResolvedTarget(kind="Node", name="gpu-a", uid="u", node="gpu-a")
    body: Any = manifest("registry/suite@sha256:abc", "run-1", "cut", FaultPod(target, "gpu-a", ("silence",), 30), 1000.0)
    (container,) = body["spec"]["containers"]
    security = container["securityContext"]
    assert security["appArmorProfile"] == security["seccompProfile"] == {"type": "Unconfined"}
    assert security["seLinuxOptions"] == {"type": "spc_t"}


def test_a_replica_is_cut_off_after_it_was_written_down(tmp_path: Path) -> None:
    cluster = WithPods(ARMED, DID)
    run = started(cluster, tmp_path, faults.network.isolate, role="inference", for_s=5)
    (target,) = run.targets_of()
    assert faults.network.isolate("inference", 5)["targets"] == [target.name]
    assert [call.split(" ")[0] for call in cluster.calls] == ["write", "create"]
    assert kinds(tmp_path) == ["fault.start"]
    (entry,) = run.journal.entries()
    assert (entry.kind, entry.namespace) == (UndoKind.DELETE_POD, "aftershock")
    assert unconfirmed_undos(run.platform, [entry]) == [f"fault pod {entry.object}: its kubelet has not said that it ended"]
    faults.network.restore()
    assert unconfirmed_undos(run.platform, [entry]) == []
    assert faults.network.restore() == {"undone": []}


def test_a_zone_of_replicas_is_cut_off_at_once(tmp_path: Path) -> None:
    cluster = WithPods(ARMED, DID)
    cluster.pods["ml-serving", "inference-d"] = pod("inference-d", "cpu-b")
    zones = set()
    for seed in range(12):
        found = faults.network.isolate_zone.__fault__.resolve(cluster.platform(), {"role": "inference", "for_s": 5}, seeded(seed))  # type: ignore[attr-defined]  # a label on a function
        zones.add(tuple(sorted(one.name for one in found)))
    assert zones == {("inference-a",), ("inference-b", "inference-d"), ("inference-c",)}


def test_pods_on_their_nodes_network_are_refused() -> None:
    cluster = FakeCluster()
    cluster.pods["ml-serving", "inference-a"].spec.host_network = True
    with pytest.raises(TargetRefused, match="inference-a share the network of their nodes"):
        faults.network.isolate.__fault__.resolve(cluster.platform(), {"role": "inference", "for_s": 5}, seeded(1))  # type: ignore[attr-defined]  # a label on a function


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (WithPods({"refused": "no process of it runs on this node"}), "it refused: no process of it runs on this node; nothing was set"),
        (WithPods(ARMED, {"failed": "nft ended with status 1"}), "it could not act: nft ended with status 1"),
        (WithPods(ARMED), "has not said since that it did"),
        (WithPods(phase="Pending", reason="ErrImagePull"), "not started within 0.05 s .Pending, ErrImagePull.; nothing was set"),
        (WithPods(phase="Failed", reason="Evicted"), "it ended before it acted .Failed, Evicted.; nothing was set"),
        (WithPods(denied="exceeded quota: pods=0"), "answered 403 exceeded quota: pods=0"),
        (WithPods(denied='admission webhook "x" denied the request'), "webhook .x. denied the request"),
    ],
)
def test_what_keeps_it_from_acting_is_said(tmp_path: Path, cluster: WithPods, said: str) -> None:
    run = started(cluster, tmp_path, faults.network.isolate, role="inference", for_s=5)
    with pytest.raises(FaultFailed, match=said):
        faults.network.isolate("inference", 5)
    assert [entry.kind for entry in run.journal.entries()] == [UndoKind.DELETE_POD]
    faults.network.restore()
    assert not [name for namespace, name in cluster.pods if namespace == "aftershock"]


def test_without_a_machine_driver_a_node_is_silenced_and_the_plan_says_so(tmp_path: Path) -> None:
    cluster = WithPods({"armed": "silence", "acts_in_s": 0.0})
    run = started(cluster, tmp_path, faults.nodes.power_off, role="inference", for_s=60)
    (target,) = run.targets_of()
    assert target.effect == "kubelet frozen and network cut for 60 s by a fault pod, since the target has no machine driver"
    assert faults.nodes.power_off("inference", 60)["mechanism"] == "fault pod: kubelet frozen, network cut"
    assert cluster.bodies[0]["spec"]["containers"][0]["command"][3] == "silence"
    assert kinds(tmp_path) == ["fault.start"]
    faults.nodes.power_on()
    assert not [entry for entry in run.journal.entries() if not entry.done]


def test_without_a_machine_driver_every_node_of_a_zone_is_silenced_and_cordoned(tmp_path: Path) -> None:
    cluster = WithPods({"armed": "silence", "acts_in_s": 0.0})
    run = started(cluster, tmp_path, faults.zones.lose, role="inference", for_s=60)
    names = faults.zones.lose("inference", 60)["targets"]
    assert [body["spec"]["nodeName"] for body in cluster.bodies] == names
    assert {one.metadata.name for one in cluster.nodes.values() if one.spec.unschedulable} == set(names)
    faults.zones.recover()
    assert not [entry for entry in run.journal.entries() if not entry.done]
    assert active_run.current() is run
