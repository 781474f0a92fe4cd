"""Jobs that hurt a queue: what is resolved, what is refused, and what is written ahead before anything is submitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

import faults.jobs
from history.errors import ConfigError, FaultFailed, NoData
from runner.drivers.choice import read_target
from safety.undo_journal import UndoKind
from target.job_queue import poison_id, poison_mark
from target.target import Target
from testing.platform.fake_cluster import ROOT, FakeCluster, pod, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import kinds, spec

FLOOD: dict[str, Any] = {"role": "redis", "endpoint": "async", "count": 40, "model": "m", "prompt": "p"}
POISON: dict[str, Any] = {"role": "redis", "count": 3}


@pytest.fixture
def target() -> Target:
    return read_target(ROOT / "targets" / "async.yaml")


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.pods["ml-async", "redis-0"] = pod("redis-0", "cpu-b", namespace="ml-async", app="redis", owner="StatefulSet")
    return made


def begun(cluster: FakeCluster, target: Target, tmp_path: Path, function: Any, arguments: dict[str, Any]) -> Any:
    targets = spec(function).resolve(cluster.platform(target), arguments, seeded(7))
    return live_run(cluster, tmp_path, {"act": targets}, target)


class Answered:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def answers(monkeypatch: pytest.MonkeyPatch, *statuses: int) -> list[str]:
    """Let submissions be answered by these in turn, the last one for ever; 0: not at all. Returns the URLs that were asked."""
    left, asked = [*statuses], list[str]()

    def post(url: str, **_more: object) -> Answered:
        asked.append(url)
        status = left.pop(0) if len(left) > 1 else left[0]
        if not status:
            raise requests.ConnectionError("refused")
        return Answered(status)

    monkeypatch.setattr(requests, "post", post)
    return asked


def test_a_flood_says_what_was_accepted_and_what_a_full_queue_refused(
    cluster: FakeCluster, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, *[202] * 10, 0, 429)
    run = begun(cluster, target, tmp_path, faults.jobs.flood, FLOOD)
    said = faults.jobs.flood(**FLOOD)
    assert said == {"targets": ["redis-0"], "role": "redis", "accepted": 10, "refused": 29}
    assert set(asked) == {"http://127.0.0.1:18081/v1/jobs"}
    assert [one.kind for one in run.journal.entries()] == [UndoKind.NOTHING]
    assert [kind for kind in kinds(tmp_path) if kind.startswith("fault")] == ["fault.start", "fault.end"]


def test_a_flood_that_nobody_answers_has_failed(
    cluster: FakeCluster, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, 503)
    begun(cluster, target, tmp_path, faults.jobs.flood, FLOOD)
    with pytest.raises(FaultFailed, match=r"none of 40 jobs was accepted or refused by a full queue; answers: \{503: 40\}"):
        faults.jobs.flood(**FLOOD)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 6000}, {"count": "many"}, {"endpoint": "nowhere"}, {"endpoint": None}])
def test_a_flood_that_cannot_be_meant_is_refused_by_name(cluster: FakeCluster, target: Target, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^flood: {next(iter(wrong))} is "):
        spec(faults.jobs.flood).resolve(cluster.platform(target), FLOOD | wrong, seeded(7))


def test_poison_names_jobs_that_are_not_there_and_is_the_runs_own(
    cluster: FakeCluster, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []

    def taken(_platform: object, _target: object, _role: str, command: list[str]) -> str:
        ran.append(command)
        return "1790000000000-0\n"

    monkeypatch.setattr(faults.jobs, "output_in", taken)
    run = begun(cluster, target, tmp_path, faults.jobs.poison, POISON)
    assert faults.jobs.poison(**POISON)["count"] == 3
    assert ran == [["redis-cli", "XADD", "jobs:queue", "*", "id", poison_id(run.plan.run_id, number)] for number in (1, 2, 3)]
    assert all(command[-1].startswith(poison_mark(run.plan.run_id)) for command in ran)


@pytest.mark.parametrize("said", ["READONLY You can't write against a read only replica.", "", "OK"])
def test_poison_that_redis_does_not_take_has_failed(
    cluster: FakeCluster, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(faults.jobs, "output_in", lambda *_: said)
    begun(cluster, target, tmp_path, faults.jobs.poison, POISON)
    with pytest.raises(FaultFailed, match="Redis did not take a message"):
        faults.jobs.poison(**POISON)


def test_a_redis_that_cannot_be_asked_is_a_failed_fault(
    cluster: FakeCluster, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unseen(*_: object) -> str:
        raise NoData("pod ml-async/redis-0: no answer")

    monkeypatch.setattr(faults.jobs, "output_in", unseen)
    begun(cluster, target, tmp_path, faults.jobs.poison, POISON)
    with pytest.raises(FaultFailed, match="no answer"):
        faults.jobs.poison(**POISON)


def test_poison_needs_a_container_to_run_in(cluster: FakeCluster, target: Target) -> None:
    role = target.roles["redis"].model_copy(update={"container": None})
    without = target.model_copy(update={"roles": target.roles | {"redis": role}})
    with pytest.raises(ConfigError, match="poison: role redis names no container"):
        spec(faults.jobs.poison).resolve(cluster.platform(without), POISON, seeded(7))
