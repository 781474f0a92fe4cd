"""A surge of users: what is resolved, what is refused, and that it is written ahead before a request is sent."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest

import faults.load
from faults.mechanisms import load_generator
from history.errors import ConfigError, FaultFailed, TargetRefused
from history.reader import read_plan
from safety import blast_radius
from safety.active_run import ActiveRun
from safety.load_process import folder_of
from safety.undo_journal import UndoKind
from target.allow import Allow
from target.target import Target
from testing.platform.fake_cluster import FakeCluster, local_target, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import kinds, spec
from verdict.advice.observed import SURGED

SURGE: dict[str, Any] = {"role": "inference", "times": 6, "for_s": 30}
NAMES = ["inference-a", "inference-b", "inference-c"]


class Generator:
    """Stands for the load generator's process: notes what is asked of it among the cluster's calls."""

    calls: list[str]

    def __init__(self, folder: Path) -> None:
        self.calls.append(f"start {folder.name}")

    def wait_ready(self) -> None:
        self.calls.append("ready")

    def begin(self) -> None:
        self.calls.append("begin")

    def kill(self) -> None:
        self.calls.append("kill")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    made = FakeCluster()
    monkeypatch.setattr(Generator, "calls", made.calls, raising=False)
    monkeypatch.setattr(load_generator, "Generator", Generator)
    return made


def resolve(target: Target | None = None, **arguments: Any) -> list[Any]:
    return spec(faults.load.surge).resolve(FakeCluster().platform(target), SURGE | arguments, seeded(7))


def begun(cluster: FakeCluster, folder: Path, **arguments: Any) -> ActiveRun:
    return live_run(cluster, folder, {"act": resolve(**arguments)}, seed=7)


def test_every_replica_may_be_reached_and_none_is_taken_away() -> None:
    found = resolve(attempts=2)
    assert [one.name for one in found] == NAMES
    assert found[0].effect == (
        "is given 6 times its load besides, for 30 s: 120 requests/s more, each tried up to 2 times"
    )  # the advice knows it by this
    assert SURGED in found[0].effect
    blast_radius.check(FakeCluster().platform(), found)


def test_a_strangers_cluster_needs_leave_and_the_embedded_one_none() -> None:
    for theirs in (local_target(context="staging-eu", control_plane=None), local_target(shared_machine=None)):
        platform = FakeCluster().platform(theirs)
        with pytest.raises(TargetRefused, match=r"region default would be given much more than its load.* allow: \{overload: true\}"):
            blast_radius.check(platform, resolve(theirs))
        blast_radius.check(platform, resolve(theirs), Allow(overload=True))
        with pytest.raises(TargetRefused, match="much more than its load"):
            blast_radius.check(platform, resolve(theirs), Allow(last_replica=True, share_of_role=True, cluster_wide=True))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"times": 0}, "surge: times is 0"),
        ({"times": 51}, "surge: times is 51"),
        ({"times": 1.5}, r"surge: times is 1\.5"),
        ({"for_s": 0}, "surge: for_s is 0"),
        ({"for_s": 601}, "surge: 120 requests/s for 601 s; at most 2000 requests/s for 600 s"),
        ({"attempts": 11}, "surge: attempts is 11"),
        ({"max_tokens": -1}, "surge: max_tokens is -1"),
        ({"role": "gateway"}, "which class of requests of role gateway, not named\\? It has none"),
        ({"workload": "batch-training"}, "which class of requests of role inference, batch-training\\? It has none"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        resolve(**wrong)


def test_it_is_written_ahead_when_ready_and_begins_after_its_time_was_stamped(cluster: FakeCluster, tmp_path: Path) -> None:
    run = begun(cluster, tmp_path, max_tokens=64, attempts=2)
    said = faults.load.surge("inference", 6, 30, max_tokens=64, attempts=2)
    assert said == {"targets": NAMES, "role": "inference", "for_s": 30, "rate_rps": 120.0}
    folder = folder_of(run, "act")
    assert cluster.calls == ["start act", "ready", f"write ahead end-load {folder}", "begin"]
    assert [kind for kind in kinds(tmp_path) if kind.startswith("fault")] == ["fault.start"]
    [entry] = run.journal.entries()
    assert entry.kind is UndoKind.END_LOAD
    assert "after 30 s" in entry.self_ends


def test_its_users_ask_what_the_classs_do_and_are_known_from_them(cluster: FakeCluster, tmp_path: Path) -> None:
    run = begun(cluster, tmp_path)
    faults.load.surge("inference", 6, 30, max_tokens=64, attempts=2)
    plan, usual = read_plan(folder_of(run, "act")), local_target().workloads["realtime-inference"]
    load, offer = plan.requests.load, usual.load  # type: ignore[attr-defined]  # a class of requests
    assert (load.url, load.horizon_s, load.rate_rps, load.timeout_s) == ("http://127.0.0.1:18080", 30, 120, offer.timeout_s)
    assert (load.prompts, load.model, load.connections) == (offer.prompts, offer.model, usual.connections)  # type: ignore[attr-defined]
    assert [(one.stream, one.max_tokens) for one in load.mix] == [(False, (64, 64))]
    assert (load.retry.policy, load.retry.max_attempts) == ("naive", 2)
    assert load.in_flight_cap == 1440  # 120/s x 5 s x 2 attempts, and a fifth more
    assert plan.run_id == "run-1-act"
    assert load.seed != 7
    assert plan.requests.answers.unknown


def test_an_activity_of_any_name_breaks_no_header_and_leaves_no_folder(cluster: FakeCluster, tmp_path: Path) -> None:
    name = "../../surge\r\nx-evil: 1"
    run = live_run(cluster, tmp_path, {name: resolve()}, seed=7)
    faults.load.surge("inference", 6, 30)
    [folder] = (tmp_path / "extra-load").iterdir()
    assert folder == folder_of(run, name)
    assert set(read_plan(folder).run_id) <= set(string.ascii_letters + string.digits + "_.-")


def test_without_more_to_say_it_has_the_classs_own_mix_and_nobody_asks_again(cluster: FakeCluster, tmp_path: Path) -> None:
    run = begun(cluster, tmp_path)
    faults.load.surge("inference", 6, 30)
    load = read_plan(folder_of(run, "act")).requests.load
    assert [one.stream for one in load.mix] == [False, True]
    assert load.retry.policy == "none"


def test_one_that_does_not_get_ready_sends_nothing_and_is_ended(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unready(_self: Generator) -> None:
        raise FaultFailed("load generator: it did not get ready")

    monkeypatch.setattr(Generator, "wait_ready", unready)
    run = begun(cluster, tmp_path)
    with pytest.raises(FaultFailed, match="did not get ready"):
        faults.load.surge("inference", 6, 30)
    assert cluster.calls == ["start act", "kill"]
    assert not run.journal.entries()
    assert "fault.start" not in kinds(tmp_path)


def test_what_cannot_be_written_ahead_sends_nothing_and_is_ended(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_undo: object) -> None:
        raise FaultFailed("journal: no")

    run = begun(cluster, tmp_path)
    monkeypatch.setattr(run.journal, "will_undo", full)
    with pytest.raises(FaultFailed, match="journal: no"):
        faults.load.surge("inference", 6, 30)
    assert cluster.calls == ["start act", "ready", "kill"]
