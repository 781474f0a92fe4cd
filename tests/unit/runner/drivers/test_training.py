"""A training job as a drive: the Job that is made of a template, and its ledger progress while it is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from history.clock import now_ns
from history.errors import NoData, TargetRefused
from history.ledgers import LedgerWriter
from history.reader import read_table
from history.schema import TRAINING, EventKind
from history.workloads import Training, TrainingJob
from runner.drivers.choice import drivers_of
from runner.drivers.training import driver, left_behind
from runner.drivers.training.driver import TrainingDriver
from runner.drivers.training.job import manifest
from runner.drivers.training.progress import Source, TrainingProgress
from runner.drivers.training.template import Template, keys_of
from runner.event_log import RunLog
from runner.experiment.experiment import read_experiment
from runner.stop import Stop
from target.target import load_target
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target, pod

JOB = Training(
    template="trainer", namespace="n", job="j", ranks=2, pods=2, steps=100, batch=4, max_restarts=3, interval_steps=5,
    ledger="ledger:1", reference="r",
)  # fmt: skip
SPEC = {
    "metadata": {"labels": {"app": "trainer"}},
    "spec": {
        "completions": 3,
        "parallelism": 3,
        "completionMode": "Indexed",
        "template": {
            "metadata": {"labels": {"app": "trainer"}},
            "spec": {
                "containers": [
                    {
                        "name": "trainer",
                        "env": [{"name": "TRAIN_STEPS", "value": "9"}, {"name": "HOME", "value": "/home"}],
                        "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "1Gi"}},
                    },
                    {"name": "sidecar"},
                ]
            },
        },
    },
}
ENVIRONMENT = {"TRAIN_STEPS": "9", "TRAIN_BATCH": "four"}
TEMPLATE = Template("n", "trainer", "trainer", SPEC, ENVIRONMENT, ENVIRONMENT, frozenset({"app"}))


def line(kind: str, step: int, rank: int = 0, attempt: int = 1, t_ns: int | None = None, **values: Any) -> bytes:
    row = {"kind": kind, "step": step, "rank": rank, "attempt": attempt, "t_ns": t_ns or now_ns(), "run": "j", "host": "h", "pid": 1}
    return json.dumps(row | values).encode() + b"\n"


def step(number: int, t_ns: int, attempt: int = 1) -> bytes:
    return b"".join(line("step", number, rank, attempt, t_ns, samples=[rank], outcome="applied") for rank in range(2))


class Server:
    """The ledger's server: what it holds, or why it does not answer."""

    def __init__(self) -> None:
        self.text, self.down = b"", False
        self.apart_s: float | None = 0.0

    def fetch(self, offset: int) -> bytes:
        if self.down:
            raise NoData("the ledger does not answer")
        return self.text[offset:]

    def server_ns(self) -> int | None:
        if self.apart_s is None:
            raise NoData("GET /time: answered 405")
        return now_ns() + int(self.apart_s * 1e9)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def progress(server: Server, tmp_path: Path, log: RunLog) -> TrainingProgress:
    return TrainingProgress(Source(server.fetch, server.server_ns), LedgerWriter(tmp_path, "training", "test"), JOB, log, lambda: None)


def kinds(tmp_path: Path) -> list[str]:
    return [kind for kind in read_table(tmp_path, "events")["kind"] if kind != EventKind.CLOCK.value]


def test_what_is_followed_is_kept_in_the_history_once(progress: TrainingProgress, server: Server, tmp_path: Path) -> None:
    server.text = line("start", 0, world=2) + step(1, now_ns())
    progress.update()
    server.text += step(2, now_ns())[:-5]  # the last line is still being written
    progress.update()
    assert progress.ledger.progress[-1].step == 1
    server.text = server.text[: server.text.rfind(b"\n") + 1] + line("step", 2, 1, samples=[1])
    progress.update()
    assert progress.ledger.progress[-1].step == 2
    kept = read_table(tmp_path / "ledgers", "training", schema=TRAINING)
    assert kept.filter(pl.col("kind") == "step").select("step", "rank").rows() == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_a_ledger_that_does_not_answer_is_an_instrument_that_is_down(progress: TrainingProgress, server: Server, tmp_path: Path) -> None:
    server.down = True
    progress.update()
    progress.update()
    server.down = False
    progress.update()
    assert kinds(tmp_path) == [EventKind.INSTRUMENT_DOWN.value, EventKind.INSTRUMENT_UP.value]


def test_a_baseline_lacks_steps_then_a_verified_checkpoint_then_nothing(progress: TrainingProgress, server: Server) -> None:
    since = now_ns()
    assert progress.lacks(since) == "no step of training was done"
    server.text = line("start", 0, world=2) + step(1, now_ns())
    assert progress.lacks(since) == "1 steps were done, and no checkpoint is verified yet"
    failed = [{"url": "s3", "problem": "no answer", "verified": None}]
    server.text += line("checkpoint", 1, stores=failed)
    assert "no checkpoint is verified" in progress.lacks(since)
    server.text += line("checkpoint", 2, stores=[*failed, {"url": "s3-c", "problem": "", "verified": [1, since]}])
    assert progress.lacks(since) == ""


def test_training_is_back_when_it_is_beyond_its_high_water_mark_and_has_held(progress: TrainingProgress, server: Server) -> None:
    fault = now_ns() - int(30e9)
    before = b"".join(step(number, fault - int((20 - number) * 1e8)) for number in range(1, 20))
    again = b"".join(step(number, fault + int((5 + (number - 9) * 0.1) * 1e9), 2) for number in range(10, 259))
    server.text = line("start", 0, t_ns=fault - int(3e9), world=2) + before
    progress.update()
    assert not progress.recovered(fault, fault, hold_s=10)
    server.text += line("start", 9, attempt=2, t_ns=fault + int(5e9), world=2) + again
    progress.update()
    assert progress.recovered(fault, fault, hold_s=10)
    assert not progress.recovered(fault, fault, hold_s=25)
    assert "attempt 2" in progress.text(5.0)


def test_a_job_that_did_its_last_step_is_finished(progress: TrainingProgress, server: Server) -> None:
    server.text = line("end", 9, why="told to leave by SIGTERM")
    progress.update()
    assert not progress.finished()
    server.text += line("end", 100, why="all steps are done")
    progress.update()
    assert progress.finished()


def test_a_job_is_its_template_with_the_runs_settings_and_an_end_of_its_own() -> None:
    made = manifest(TEMPLATE, "train-1", "run-1", {"TRAIN_STEPS": "20"})
    assert made["metadata"] == {
        "name": "train-1",
        "labels": {
            "app": "trainer",
            "app.kubernetes.io/managed-by": "aftershock",
            "aftershock.dev/kind": "training",
            "aftershock.dev/run": "run-1",
        },
    }
    assert made["spec"]["activeDeadlineSeconds"] == 1800
    assert made["spec"]["completions"] == 3
    assert made["spec"]["template"]["metadata"]["labels"] == {"app": "trainer"}
    trainer, sidecar = made["spec"]["template"]["spec"]["containers"]
    assert trainer["env"] == [{"name": "HOME", "value": "/home"}, {"name": "TRAIN_STEPS", "value": "20"}]
    assert sidecar == {"name": "sidecar"}


def test_a_reference_is_one_pod_that_no_role_selects() -> None:
    made = manifest(TEMPLATE, "reference-1", "run-1", {}, one_pod=True)
    assert (made["spec"]["completions"], made["spec"]["parallelism"]) == (1, 1)
    assert "app" not in made["spec"]["template"]["metadata"]["labels"]
    assert made["metadata"]["labels"]["app"] == "trainer"  # roles select pods, and queues Jobs
    resources = made["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources == {"requests": {"cpu": "1"}, "limits": {"memory": "3221225472"}}  # of the ranks of three pods
    assert SPEC["spec"]["completions"] == 3  # type: ignore[index]  # the template itself is as it was


def test_a_reference_keeps_devices_and_the_labels_of_queues_and_ends_with_the_class() -> None:
    spec: Any = json.loads(json.dumps(SPEC))
    gpu = {"requests": {"cpu": "1", "nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}
    spec["spec"]["template"]["spec"]["containers"][0]["resources"] = gpu
    spec["metadata"]["labels"] = spec["spec"]["template"]["metadata"]["labels"] = {"app": "trainer", "kueue.x-k8s.io/queue-name": "q"}
    made = manifest(replace(TEMPLATE, job=spec), "reference-1", "run-1", {}, one_pod=True, limit_s=7200.5)
    (trainer, _sidecar), of_pod = made["spec"]["template"]["spec"]["containers"], made["spec"]["template"]["metadata"]["labels"]
    assert trainer["resources"] == {"requests": {"cpu": "1", "nvidia.com/gpu": "3"}, "limits": {"nvidia.com/gpu": "3"}}
    assert made["spec"]["activeDeadlineSeconds"] == 7201
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == of_pod["kueue.x-k8s.io/queue-name"] == "q"
    assert "app" not in of_pod


def test_which_labels_a_selector_asks_for() -> None:
    assert keys_of("app in (a,b), x.io/role=rank,!spare, tier notin (c)") == ["app", "x.io/role", "spare", "tier"]
    assert keys_of("") == []


def test_rows_that_lack_what_each_row_needs_are_named(progress: TrainingProgress, server: Server) -> None:
    server.text = b'{"kind": "step", "step": 1, "rank": 0, "t_ns": 1}\n' * 2
    assert "2 without `attempt`" in progress.lacks(now_ns())


def test_times_of_a_rank_whose_clock_is_wrong_are_corrected(progress: TrainingProgress, server: Server) -> None:
    server.apart_s = 5.0  # of the ledger's server, against the suite's
    done_ns = now_ns()
    ranks = line("clock", 0, t_ns=1, offset_ns=7_000_000_000, error_ns=1_000_000)  # two seconds behind the suite's
    server.text = line("start", 0, t_ns=done_ns - 2_000_000_000, world=2) + ranks + step(1, done_ns - 2_000_000_000)
    progress.update()
    (done,) = progress.ledger.progress
    assert abs(done.t_ns - done_ns) <= progress.ledger.clocks.error_s * 1e9
    assert progress.ledger.clocks.unknown == ()


def test_where_the_ledgers_server_does_not_tell_the_time_rows_are_received_by_the_suite(progress: TrainingProgress, server: Server) -> None:
    server.apart_s, done_ns = None, now_ns()
    server.text = line("start", 0, t_ns=done_ns - 2_000_000_000, world=2) + step(1, done_ns - 2_000_000_000)
    progress.update()
    (done,) = progress.ledger.progress
    assert done_ns <= done.t_ns <= now_ns()
    assert progress.ledger.clocks.unknown == ()


def test_a_template_that_does_not_say_what_is_needed_is_refused() -> None:
    assert (TEMPLATE.pods, TEMPLATE.number("TRAIN_STEPS"), TEMPLATE.number("TRAIN_RANKS_PER_POD", 1)) == (3, 9, 1)
    for name in ("TRAIN_BATCH", "TRAIN_INTERVAL"):
        with pytest.raises(TargetRefused, match=name):
            TEMPLATE.number(name)


@pytest.mark.parametrize(("name", "template"), [("rank-killed", "trainer"), ("zone-lost-no-room", "trainer-zonal")])
def test_an_experiment_may_have_another_template_than_its_class(name: str, template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = read_experiment(ROOT / "experiments" / "training" / f"{name}.yaml", ROOT / "experiments")
    asked: list[str] = []

    def read(_platform: Any, _namespace: str, written: TrainingJob, *_: Any) -> Any:
        asked.append(written.template)

    monkeypatch.setattr(driver, "read_template", read)
    monkeypatch.setattr("kube.permissions.require", lambda *_: None)
    request: Any = SimpleNamespace(run_id="r", dry_run=False)
    drivers_of(FakeCluster().platform(load_target(ROOT / "targets" / "local.yaml")), experiment, request, Stop())
    assert asked == [template]


def test_the_jobs_name_is_short_and_tells_runs_apart() -> None:
    def name(run_id: str) -> str:
        drive: Any = TrainingDriver
        return str(drive.job_name.fget(type("Drive", (), {"run_id": run_id, "made": 1})))

    first, second = name("20261121-145600-rank-killed-1-2eb7"), name("20261121-145600-rank-killed-2-ba87")
    assert first == "train-1121145600-2eb7"
    assert first != second


def test_a_job_whose_run_is_dead_is_left_behind_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def job(name: str, run: str, kind: str = "training", **status: Any) -> Any:
        return {"metadata": {"name": name, "labels": {"aftershock.dev/run": run, "aftershock.dev/kind": kind}}, "status": status}

    complete = [{"type": "Complete", "status": "True"}]
    there = [
        job("train-1", "alive"),
        job("train-2", "dead"),
        job("reference", "dead", conditions=complete),
        job("reaper", "dead", "reaper"),
    ]
    monkeypatch.setattr("kube.plain_objects.listed", lambda *_: there)
    (left,) = left_behind.left_behind(FakeCluster().platform(), frozenset({"alive"}))
    assert left.where == "training job ml-training/train-2"


def test_a_dry_run_ends_no_job_of_a_dead_run_and_a_real_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, ended = FakeCluster(), list[str]()
    for name, job_name in (("rank-of-dead", "train-dead"), ("rank-of-other", "train-other")):
        made = pod(name, namespace="n", app="trainer")
        made.metadata.labels = {"app": "trainer", "batch.kubernetes.io/job-name": job_name}
        cluster.pods["n", name] = made
    platform = cluster.platform(local_target(roles=trainer_in("n")))
    monkeypatch.setattr(left_behind, "alive_runs", lambda _: frozenset())
    monkeypatch.setattr(left_behind, "orphans", lambda *_: ["train-dead"])
    monkeypatch.setattr(left_behind.jobs, "delete", lambda *named: ended.append(named[-1]))
    written = TrainingJob(template="trainer", ledger="ledger:1", storage="storage")

    def others(*, looks_only: bool) -> str:
        made = TrainingDriver(platform, "batch-training", "trainer", written, TEMPLATE, {}, "run", Stop(), looks_only=looks_only)
        [text] = made._others()
        return text

    assert others(looks_only=True) == ("role trainer: rank-of-other is of another job; end it: its ranks would be mistaken for this run's")
    assert ended == []
    assert "rank-of-dead, rank-of-other" in others(looks_only=False)  # until its pods are gone
    assert ended == ["train-dead"]


def trainer_in(namespace: str) -> dict[str, Any]:
    roles = load_target(ROOT / "targets" / "local.yaml").model_dump(mode="json", by_alias=True)["roles"]
    roles["trainer"]["namespace"] = namespace
    return {name: {key: value for key, value in role.items() if value is not None} for name, role in roles.items()}
