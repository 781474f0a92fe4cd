"""What a fault does, in which order: journal first, then t_fault, then the effect on exactly the resolved targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chaosk8s.pod import actions as chaosk8s_pods
from kubernetes.client import CoreV1Api

import faults.gpus
import faults.nodes
import faults.pods
import faults.processes
import faults.zones
from history.errors import ConfigError, FaultFailed
from history.plan import ResolvedTarget
from safety.active_run import ActiveRun
from safety.undo_journal import UndoKind
from target.region import CommandDriver
from testing.platform.fake_cluster import FakeCluster, local_target, seeded
from testing.platform.fake_run import live_run
from testing.platform.in_memory.asked_by_path import FakeApi
from testing.runs.fault_parts import kinds, spec

NOTE = ("{python}", "-c", "import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[2:]) + chr(10))")


def started(cluster: FakeCluster, run_dir: Path, function: Callable[..., Any], **arguments: Any) -> ActiveRun:
    platform = cluster.platform(with_drivers(run_dir))
    run = live_run(cluster, run_dir, {"act": spec(function).resolve(platform, arguments, seeded(7))})
    run.platforms = {"default": platform}
    return run


def with_drivers(run_dir: Path) -> Any:
    log = str(run_dir / "driver.log")
    machines = CommandDriver(fail=(*NOTE, log, "off", "{node}", "{seconds}"), repair=(*NOTE, log, "on", "{node}"))
    gpus = CommandDriver(fail=(*NOTE, log, "fail", "{node}", "{index}", "{seconds}"), repair=(*NOTE, log, "repair", "{node}", "{index}"))
    return local_target(machines=machines, gpus=gpus)


def driver_log(run_dir: Path) -> list[str]:
    return sorted((run_dir / "driver.log").read_text().splitlines())


@pytest.fixture
def chaosk8s_on(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeCluster], None]:
    """Let chaosk8s's calls end in the fake cluster: it makes its CoreV1Api of the client that it is given."""

    def use(cluster: FakeCluster) -> None:
        monkeypatch.setattr(chaosk8s_pods.client, "CoreV1Api", lambda given: cluster if isinstance(given, FakeApi) else CoreV1Api(given))

    return use


def test_a_pod_is_killed_without_grace_after_it_was_written_down(tmp_path: Path, chaosk8s_on: Callable[[FakeCluster], None]) -> None:
    cluster = FakeCluster()
    chaosk8s_on(cluster)
    run = started(cluster, tmp_path, faults.pods.kill, role="inference")
    (target,) = run.targets_of()
    assert faults.pods.kill("inference") == {"targets": [target.name], "count": 1}
    assert cluster.calls == [f"write ahead nothing {target.name}", f"delete pod {target.name} grace 0"]
    assert kinds(tmp_path) == ["clock", "fault.start", "fault.end"]


def test_exactly_the_resolved_pods_are_killed(tmp_path: Path, chaosk8s_on: Callable[[FakeCluster], None]) -> None:
    cluster = FakeCluster()
    chaosk8s_on(cluster)
    near = cluster.pods[("ml-serving", "inference-a")].metadata
    cluster.pods[("ml-serving", "inference-a-2")] = cluster.pods.pop(("ml-serving", "decoy-1"))
    cluster.pods[("ml-serving", "inference-a-2")].metadata.name = "inference-a-2"
    target = ResolvedTarget(kind="Pod", name="inference-a", namespace="ml-serving", uid=near.uid)
    live_run(cluster, tmp_path, {"act": [target]})
    faults.pods.kill("inference")
    assert ("ml-serving", "inference-a-2") in cluster.pods
    assert ("ml-serving", "inference-a") not in cluster.pods


def test_a_pod_that_was_replaced_since_preflight_is_not_killed(tmp_path: Path) -> None:
    cluster = FakeCluster()
    run = started(cluster, tmp_path, faults.pods.kill, role="inference")
    cluster.pods[("ml-serving", run.targets_of()[0].name)].metadata.uid = "another"
    with pytest.raises(FaultFailed, match="nothing was touched"):
        faults.pods.kill("inference")
    assert not cluster.calls


def test_a_node_is_drained_and_then_uncordoned(tmp_path: Path) -> None:
    cluster = FakeCluster()
    run = started(cluster, tmp_path, faults.nodes.drain, role="inference")
    (node,) = [target.name for target in run.targets_of()]
    evicted = faults.nodes.drain("inference")["evicted"]
    assert f"inference-{node[-1]}" in evicted
    assert cluster.calls[:2] == [f"write ahead uncordon {node}", f"patch node {node}"]
    assert cluster.nodes[node].spec.unschedulable
    assert faults.nodes.uncordon() == {"undone": [f"node {node}: uncordoned"]}
    assert faults.nodes.uncordon() == {"undone": []}
    assert not cluster.nodes[node].spec.unschedulable


def test_a_node_that_was_cordoned_before_stays_cordoned(tmp_path: Path) -> None:
    cluster = FakeCluster()
    run = started(cluster, tmp_path, faults.nodes.cordon, role="inference")
    node = run.targets_of()[0].name
    cluster.nodes[node].spec.unschedulable = True
    faults.nodes.cordon("inference")
    faults.nodes.uncordon()
    assert cluster.nodes[node].spec.unschedulable
    assert [entry.kind for entry in run.journal.entries()] == [UndoKind.NOTHING]


def test_a_node_is_powered_off_for_a_time_and_on_again(tmp_path: Path) -> None:
    cluster = FakeCluster()
    run = started(cluster, tmp_path, faults.nodes.power_off, role="inference", for_s=75)
    node = run.targets_of()[0].name
    faults.nodes.power_off("inference", 75)
    assert driver_log(tmp_path) == [f"off {node} 75"]
    (entry,) = run.journal.entries()
    assert (entry.kind, entry.object, entry.done) == (UndoKind.POWER_ON, node, False)
    assert "by itself" in entry.self_ends
    faults.nodes.power_on()
    assert driver_log(tmp_path) == [f"off {node} 75", f"on {node}"]


@pytest.mark.parametrize(("lose", "cordoned", "written_ahead"), [(faults.zones.lose, True, 4), (faults.zones.power_off, False, 2)])
def test_a_zone_loses_its_power_and_comes_back(tmp_path: Path, lose: Callable[..., Any], *, cordoned: bool, written_ahead: int) -> None:
    cluster = FakeCluster()
    run = started(cluster, tmp_path, lose, role="inference", for_s=90)
    names = [target.name for target in run.targets_of()]
    lose("inference", 90)
    assert driver_log(tmp_path) == [f"off {name} 90" for name in names]
    assert all(bool(cluster.nodes[name].spec.unschedulable) is cordoned for name in names)
    assert [call for call in cluster.calls if call.startswith("write")] == cluster.calls[:written_ahead]
    faults.zones.recover()
    assert driver_log(tmp_path)[2:] == [f"on {name}" for name in names]
    assert not any(node.spec.unschedulable for node in cluster.nodes.values())
    assert all(entry.done for entry in run.journal.entries())


def test_a_device_is_lost_and_repaired(tmp_path: Path) -> None:
    cluster = FakeCluster()
    run = started(cluster, tmp_path, faults.gpus.lose_device, role="inference", for_s=45)
    node = run.targets_of()[1].node
    faults.gpus.lose_device("inference", 45)
    faults.gpus.repair()
    assert driver_log(tmp_path) == [f"fail {node} 1 45", f"repair {node} 1"]


def test_a_driver_that_fails_fails_the_fault_and_is_undone_all_the_same(tmp_path: Path) -> None:
    cluster = FakeCluster()
    run = started(cluster, tmp_path, faults.nodes.power_off, role="inference", for_s=75)
    repair = run.platform.region.machines.repair  # type: ignore[union-attr]  # set above
    run.platforms = {"default": cluster.platform(local_target(machines=CommandDriver(fail=("false",), repair=repair)))}
    with pytest.raises(FaultFailed, match="power off"):
        faults.nodes.power_off("inference", 75)
    faults.nodes.power_on()
    assert driver_log(tmp_path) == [f"on {run.targets_of()[0].name}"]


def test_a_freeze_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="the fault must end by itself"):
        faults.processes.freeze_engine("inference", 0)


def test_the_engine_is_signalled_by_one_ephemeral_container(tmp_path: Path) -> None:
    cluster = FakeCluster()
    run = started(cluster, tmp_path, faults.processes.freeze_engine, role="inference", for_s=30)
    sent: list[dict[str, Any]] = []

    def patch(name: str, namespace: str, body: dict[str, Any]) -> None:
        cluster.calls.append(f"patch ephemeralcontainers {name}")
        sent.append(body)

    def log(name: str, namespace: str, container: str) -> str:
        return '{"did": "stopped", "t_ns": 1}\n' if sent and container == sent[0]["spec"]["ephemeralContainers"][0]["name"] else ""

    cluster.patch_namespaced_pod_ephemeralcontainers = patch  # type: ignore[attr-defined]
    cluster.read_namespaced_pod_log = log  # type: ignore[attr-defined]
    (target,) = run.targets_of()
    answer = faults.processes.freeze_engine("inference", 30)
    assert answer["targets"] == [target.name]
    assert sent[0]["metadata"] == {"uid": target.uid}
    assert cluster.calls == [f"write ahead replace-pod {target.name}", f"patch ephemeralcontainers {target.name}"]
    faults.processes.replace()
    assert ("ml-serving", target.name) not in cluster.pods


def test_an_engine_that_is_not_found_fails_the_fault(tmp_path: Path) -> None:
    cluster = FakeCluster()
    started(cluster, tmp_path, faults.processes.kill_engine, role="inference")
    cluster.patch_namespaced_pod_ephemeralcontainers = lambda *_: None  # type: ignore[attr-defined]
    cluster.read_namespaced_pod_log = lambda *_, **__: '{"refused": "2 processes have x"}\n'  # type: ignore[attr-defined]
    with pytest.raises(FaultFailed, match="no process was signalled in container server: 2 processes have x"):
        faults.processes.kill_engine("inference")
