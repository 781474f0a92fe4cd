"""Faults of ranks: who is hit, what is written before, what is asked of the pod, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import faults.network
import faults.ranks
from history.errors import ConfigError, FaultFailed, NoData, TargetRefused
from kube.permissions import Permission
from kube.selection import GLOBAL_INDEX, INDEX, of_index
from safety.active_run import ActiveRun
from testing.platform.fake_cluster import FakeCluster, pod, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import kinds, spec

Fault = Callable[..., dict[str, Any]]


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    for index, node in enumerate(("gpu-a", "gpu-b", "gpu-c")):
        one = pod(f"train-{index}", node, namespace="ml-training", app="trainer", owner="Job", termination_grace_period_seconds=60)
        one.metadata.labels[INDEX] = str(index)
        made.pods["ml-training", one.metadata.name] = one
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []
    monkeypatch.setattr("kube.container_exec.output_of", lambda *given: commands.append(given[-1]) or "")
    return commands


def started(cluster: FakeCluster, run_dir: Path, function: Callable[..., Any], seed: int = 7, **arguments: Any) -> ActiveRun:
    return live_run(cluster, run_dir, {"act": spec(function).resolve(cluster.platform(), arguments, seeded(seed))})


def test_a_preempted_pod_is_evicted_with_its_grace_after_the_journal_was_written(cluster: FakeCluster, tmp_path: Path) -> None:
    run = started(cluster, tmp_path, faults.ranks.preempt, role="trainer")
    [target] = run.targets_of()
    assert target.effect == "evicted with 60 s of grace"
    assert target.seen_s == 60
    assert faults.ranks.preempt("trainer") == {"targets": [target.name], "role": "trainer"}
    assert cluster.calls == [f"write ahead nothing {target.name}", f"evict {target.name}"]
    assert kinds(tmp_path) == ["clock", "fault.start", "fault.end"]
    assert ("ml-training", target.name) not in cluster.pods


def test_a_pod_that_is_gone_or_may_not_be_evicted_fails_the_fault(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faults.ranks.EVICT_S", 0.0)
    started(cluster, tmp_path, faults.ranks.preempt, role="trainer")
    cluster.refuse_evictions = 1
    with pytest.raises(FaultFailed, match="disruption budget"):
        faults.ranks.preempt("trainer")


def test_the_coordinator_is_the_pod_with_index_0_whatever_the_seed(cluster: FakeCluster, tmp_path: Path) -> None:
    fault = spec(faults.ranks.kill_coordinator)
    found = {fault.resolve(cluster.platform(), {"role": "trainer"}, seeded(seed))[0].name for seed in range(5)}
    assert found == {"train-0"}
    del cluster.pods["ml-training", "train-0"]
    with pytest.raises(TargetRefused, match="completion-index=0"):
        fault.resolve(cluster.platform(), {"role": "trainer"}, seeded(1))


def test_ranks_of_the_jobs_of_a_job_set_are_counted_through(cluster: FakeCluster) -> None:
    """Three Jobs of a pod each: every pod has completion index 0."""
    for number in range(3):
        cluster.pods["ml-training", f"train-{number}"].metadata.labels |= {INDEX: "0", GLOBAL_INDEX: str(number)}
    assert [of_index(cluster.platform(), "trainer", index).metadata.name for index in range(3)] == ["train-0", "train-1", "train-2"]
    for number in range(3):  # two Jobs of two pods, one of which is missing
        cluster.pods["ml-training", f"train-{number}"].metadata.labels |= {INDEX: str(number % 2), GLOBAL_INDEX: str(number // 2)}
    assert of_index(cluster.platform(), "trainer", 2).metadata.name == "train-2"
    with pytest.raises(TargetRefused, match="completion-index=3"):
        of_index(cluster.platform(), "trainer", 3)


def test_a_rank_is_cut_off_by_its_index(cluster: FakeCluster) -> None:
    fault = spec(faults.network.isolate)
    chosen = {fault.resolve(cluster.platform(), {"role": "trainer", "for_s": 30, "index": 2}, seeded(seed))[0].name for seed in range(5)}
    assert chosen == {"train-2"}
    with pytest.raises(TargetRefused, match="completion-index=3"):
        fault.resolve(cluster.platform(), {"role": "trainer", "for_s": 30, "index": 3}, seeded(1))


def test_a_point_of_failure_is_a_file_that_the_rank_finds(cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr("kube.container_exec.output_of", lambda _platform, *rest: asked.append(rest) or "")
    run = started(cluster, tmp_path, faults.ranks.fail_at, role="trainer", point="save.after_shard", action="kill", index=2)
    done = faults.ranks.fail_at("trainer", "save.after_shard", "kill", 2)
    assert done["targets"] == ["train-2"] == [target.name for target in run.targets_of()]
    [(name, namespace, container, command)] = asked
    assert (name, namespace, container) == ("train-2", "ml-training", "trainer")
    assert command[3:] == ["sh", "=kill", "save.after_shard+aftershock"]
    assert kinds(tmp_path) == ["clock", "fault.start", "fault.end"]


def test_a_pod_without_such_a_folder_fails_the_fault(cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise NoData("cd: can't cd to /nowhere")

    monkeypatch.setattr("kube.container_exec.output_of", refuse)
    started(cluster, tmp_path, faults.ranks.fail_at, role="trainer", point="step", action="nan")
    with pytest.raises(FaultFailed, match="TRAIN_FAILPOINT_FOLDER"):
        faults.ranks.fail_at("trainer", "step", "nan")


@pytest.mark.parametrize(("point", "action"), [("step; rm", "kill"), ("step", "kill; rm"), ("", "kill"), ("step", "explode")])
def test_what_is_no_point_and_no_action_is_refused_before_anything(cluster: FakeCluster, point: str, action: str) -> None:
    with pytest.raises(ConfigError):
        spec(faults.ranks.fail_at).resolve(cluster.platform(), {"role": "trainer", "point": point, "action": action}, seeded(1))


def test_each_says_which_rights_it_needs(cluster: FakeCluster) -> None:
    def asked(function: Callable[..., Any]) -> set[tuple[str, str]]:
        found: list[Permission] = spec(function).permissions(cluster.platform(), {"role": "trainer"})
        assert {one.namespace for one in found} == {"ml-training"}
        return {(one.verb, one.resource) for one in found}

    assert ("create", "pods/eviction") in asked(faults.ranks.preempt)
    assert ("delete", "pods") in asked(faults.ranks.kill_coordinator)
    assert ("create", "pods/exec") in asked(faults.ranks.fail_at)


@pytest.mark.parametrize(
    ("function", "arguments", "action"),
    [(faults.ranks.segfault, {}, "segfault"), (faults.ranks.exhaust_memory, {"mebibytes": 2048}, "eat:2048")],
)
def test_the_rank_is_told_by_a_file_in_its_pod(
    asked: list[list[str]], cluster: FakeCluster, tmp_path: Path, *, function: Fault, arguments: dict[str, int], action: str
) -> None:
    given = {"role": "trainer", "index": 1, **arguments}
    run = started(cluster, tmp_path, function, **given)
    assert function(**given)["targets"] == ["train-1"]
    assert [command[-2:] for command in asked] == [[f"={action}", "step+aftershock"]]
    assert [target.name for target in run.targets_of()] == ["train-1"]
    verbs = {(one.verb, one.resource) for one in spec(function).permissions(cluster.platform(), given)}
    assert {("create", "pods/exec"), ("get", "pods/log")} <= verbs


@pytest.mark.parametrize("mebibytes", [0, -5, 9000, 1.5, True, "2048"])
def test_memory_without_a_bound_is_refused(cluster: FakeCluster, mebibytes: object) -> None:
    with pytest.raises(ConfigError, match="from 1 to 8192"):
        spec(faults.ranks.exhaust_memory).resolve(cluster.platform(), {"role": "trainer", "mebibytes": mebibytes}, seeded(7))


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        ("Job", "its Job makes a new one"),
        ("ReplicaSet", "its ReplicaSet makes a new one"),
        (None, "nobody makes a new one: it has no controller"),
    ],
)
def test_what_replaces_a_preempted_pod_is_what_owns_it(cluster: FakeCluster, tmp_path: Path, owner: str | None, said: str) -> None:
    for name in [name for namespace, name in cluster.pods if namespace == "ml-training"]:
        cluster.pods["ml-training", name] = pod(name, namespace="ml-training", app="trainer", owner=owner)
    run = started(cluster, tmp_path, faults.ranks.preempt, role="trainer")
    faults.ranks.preempt("trainer")
    assert [target.ends for target in run.targets_of()] == [said]
    assert [entry.self_ends for entry in run.journal.entries()] == [said]
    assert said in (tmp_path / "events.test.jsonl").read_text()
