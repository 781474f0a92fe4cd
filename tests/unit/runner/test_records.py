"""What a run keeps and says besides its history: Chaos Toolkit's journal, the scene without secrets, least rights, calibration."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from history.plan import Plan, write_plan
from history.reader import read_run
from history.result import Check, LoadSummary, Measurement, RunVerdict, Verdict, write_verdict
from kube.permissions import Permission
from runner.commands import rbac
from runner.commands.calibrate import NullRun, findings, page, rate_needed_rps, read_null_run, smallest_outage_s, stored
from runner.experiment.experiment import Experiment, read_experiment
from runner.messages import Kind, Pipe, read_message
from runner.redact import HIDDEN, redact_object, redact_text
from runner.run.context import Context
from runner.run.phases.diagnostics import of_interest
from runner.run.phases.drain_and_judge import close_and_judge, unjudged
from runner.run.phases.hypothesis import evaluate
from runner.run.phases.inject import inject
from runner.run.toolkit_journal import ToolkitJournal
from testing.histories.edits import asked, change_rows
from testing.histories.mutations import NULL
from testing.histories.truth import build
from testing.histories.truth_frames import write
from testing.platform.fake_cluster import NOW, ROOT, local_target, pod
from testing.runs.runner_parts import plan_of
from verdict import judge

# journal.json


def test_the_journal_has_what_chaos_report_reads(context: Context) -> None:
    context.toolkit_journal.before = evaluate(context, "baseline").entry
    inject(context)
    context.toolkit_journal.after = evaluate(context, "observe").entry
    verdict = unjudged(context.run.plan, "not judged")
    journal = json.loads(json.dumps(context.toolkit_journal.content(context.run.plan, verdict, interrupted=False), default=str))
    keys = "chaoslib-version platform node experiment start status deviated steady_states run rollbacks end duration"
    assert journal.keys() >= set(keys.split())
    assert journal["status"] == "aborted"
    assert journal["steady_states"]["before"]["steady_state_met"] is True
    [probe] = journal["steady_states"]["after"]["probes"]
    assert probe.keys() >= {"activity", "output", "start", "status", "end", "duration", "tolerance_met"}
    [action] = journal["run"]
    assert (action["status"], action["activity"]["name"]) == ("succeeded", "kill")


@pytest.mark.parametrize(
    ("verdict", "interrupted", "status", "deviated"),
    [
        (Verdict.PASS, False, "completed", False),
        (Verdict.FAIL, False, "failed", True),
        (Verdict.INCONCLUSIVE, False, "aborted", False),
        (Verdict.INCONCLUSIVE, True, "interrupted", False),
    ],
)
def test_its_status_follows_the_verdict(experiment: Experiment, verdict: Verdict, interrupted: bool, status: str, deviated: bool) -> None:
    plan = plan_of(experiment)
    judged = unjudged(plan, "x").model_copy(update={"verdict": verdict})
    journal = ToolkitJournal(experiment.raw).content(plan, judged, interrupted)
    assert (journal["status"], journal["deviated"]) == (status, deviated)


def test_a_run_that_never_got_a_load_is_closed_and_judged_as_inconclusive(context: Context) -> None:
    write_plan(context.run.plan, context.run.run_dir)
    verdict = close_and_judge(context)
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert RunVerdict.model_validate_json((context.run.run_dir / "verdict.json").read_text()) == verdict
    assert read_run(context.run.run_dir).closed
    assert (context.run.run_dir / "journal.json").exists()


# the scene


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2",
        "AWS_SECRET_ACCESS_KEY: hunter2",
        '{"api_key": "hunter2"}',
        "Authorization: Bearer hunter2",
        "connecting to redis://user:hunter2@cache:6379/0",
        "token hunter2 was given",
    ],
)
def test_what_looks_like_a_credential_is_hidden_in_logs(text: str) -> None:
    assert "hunter2" not in redact_text(text, secrets=("token hunter2",))


def test_tokens_are_known_by_their_shape() -> None:
    assert redact_text("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln and AKIAABCDEFGHIJKLMNOP") == f"{HIDDEN} and {HIDDEN}"


def test_ordinary_words_stay() -> None:
    for text in ("max_tokens=32 latency=0.2", "GET /health 200", "the password is wrong", "vllm:num_requests_waiting 3"):
        assert redact_text(text) == text


def test_descriptions_lose_values_under_names_that_sound_secret() -> None:
    env = [{"name": "S3_SECRET_KEY", "value": "hunter2"}, {"name": "MODE", "value": "fast"}, {"name": "API_KEY", "valueFrom": {"x": 1}}]
    hidden = redact_object({"spec": {"env": env, "password": "hunter2"}})
    assert "hunter2" not in json.dumps(hidden)
    assert hidden["spec"]["env"][1]["value"] == "fast"


def test_the_scene_is_of_pods_that_were_hit_or_do_not_work() -> None:
    def kept(one: Any, names: set[str | None]) -> bool:
        one.metadata.creation_timestamp = one.metadata.creation_timestamp or NOW - timedelta(hours=1)
        return of_interest(one, names, since=NOW)

    assert not kept(pod("a"), {"b"})
    assert kept(pod("a"), {"a"})
    assert kept(pod("a", node="gpu-a"), {"gpu-a"})
    assert kept(pod("a", ready=False), set())
    made = pod("a")
    made.metadata.creation_timestamp = NOW + timedelta(seconds=1)
    assert kept(made, set())
    restarted = pod("a")
    restarted.status.container_statuses[0].restart_count = 1
    assert kept(restarted, set())


# messages


def test_only_messages_are_messages() -> None:
    message = read_message('{"kind": "note", "text": "x"}')
    assert message is not None
    assert (message.kind, message.text()) == (Kind.NOTE, "x")
    for line in ("a library prints", '{"kind": "nothing known"}', "[1]", '"note"', ""):
        assert read_message(line) is None


def test_a_parent_that_is_gone_ends_nothing() -> None:
    reading, writing = os.pipe()
    pipe = Pipe(writing)
    pipe(Kind.NOTE, text="heard")
    assert json.loads(os.read(reading, 1000)) == {"kind": "note", "text": "heard"}
    os.close(reading)
    pipe(Kind.NOTE, text="nobody listens")
    pipe(Kind.NOTE, text="still nobody")
    os.close(writing)


# rbac


def test_rules_gather_verbs_and_split_by_scope() -> None:
    needed = [
        Permission("get", "pods", namespace="a"),
        Permission("list", "pods", namespace="a"),
        Permission("create", "pods/eviction", namespace="a"),
        Permission("list", "nodes"),
        Permission("get", "leases", "coordination.k8s.io", "b"),
    ]
    made = rbac.manifests(needed, "aftershock")
    roles = {(one["kind"], one["metadata"].get("namespace")): one["rules"] for one in made if "rules" in one}
    assert roles["ClusterRole", None] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
    assert roles["Role", "a"] == [
        {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    ]
    assert roles["Role", "b"][0]["apiGroups"] == ["coordination.k8s.io"]
    bindings = [one for one in made if one["kind"].endswith("Binding")]
    assert {one["subjects"][0]["namespace"] for one in bindings} == {"aftershock"}
    assert len(bindings) == 3


def test_an_experiment_is_granted_what_it_needs_and_no_more() -> None:
    def rights(name: str) -> set[tuple[str, str]]:
        experiment = read_experiment(ROOT / "experiments" / f"{name}.yaml", ROOT / "experiments")
        return {(one.verb, one.resource) for one in rbac.least_permissions([experiment], local_target())}

    null, killed, drained = rights("control/null-control"), rights("serving/replica-killed"), rights("serving/node-drained")
    assert killed - null >= {("delete", "pods")}
    assert not {resource for _, resource in null} & {"secrets", "pods/exec", "clusterroles", "jobs"}
    assert not {("patch", "nodes"), ("delete", "pods")} & null
    assert {("patch", "nodes"), ("create", "pods/eviction"), ("create", "jobs")} <= drained


def test_what_another_right_covers_is_not_granted_twice() -> None:
    experiment = read_experiment(ROOT / "experiments" / "serving" / "node-drained.yaml", ROOT / "experiments")
    found = rbac.least_permissions([experiment], local_target())
    everywhere = {(one.verb, one.resource, one.group) for one in found if one.namespace is None}
    assert ("list", "pods", "") in everywhere
    assert not [one for one in found if one.namespace and (one.verb, one.resource, one.group) in everywhere]


# calibration


def null_run(experiment: Experiment, *, outages: int = 0, verdict: Verdict = Verdict.PASS, resolution_s: float = 0.06) -> NullRun:
    plan: Plan = plan_of(experiment)
    load = LoadSummary(
        offered_rps=100, achieved_rps=100, send_lag_p99_ms=1, send_lag_max_ms=5, cpu_share_max=0.2, cap_hits=0,
        scheduled=6000, recorded=6000, holes=0,
    )  # fmt: skip
    p95 = Measurement(name="baseline_p95", value=120.0, unit="ms")
    impact = Check(name="impact", verdict=verdict, sentence="x", resolution=resolution_s)
    judged = RunVerdict(run_id="r", verdict=verdict, sentence="x", complete=True, checks=(impact,), measurements=(p95,), load=load)
    return NullRun(plan, judged, outages, watched_s=60.0)


def test_without_a_false_outage_the_rate_is_bounded_by_how_long_was_watched(experiment: Experiment) -> None:
    text = "\n".join(findings([null_run(experiment)] * 10, budget_s=10))
    assert "10 null runs, 10.0 minutes watched at 100 requests/s" in text
    assert "false outages: 0, that is at most 18 an hour (95 %)" in text
    assert "inconclusive: 0 of 10" in text
    assert "failed" not in text
    assert "users waited (p95) at most 120 ms in any run; the SLO's tightest limit is 200 ms" in text
    assert "tightest budget that can be judged: 1.2 s" in text


def test_false_outages_are_counted(experiment: Experiment) -> None:
    runs = [null_run(experiment), null_run(experiment, outages=2, verdict=Verdict.FAIL), null_run(experiment, verdict=Verdict.INCONCLUSIVE)]
    text = "\n".join(findings(runs, budget_s=None))
    assert "false outages: 2, that is 40 an hour" in text
    assert "inconclusive: 1 of 3" in text
    assert "failed without any fault: 1 of 3" in text


def test_runs_that_never_began_support_no_figure(experiment: Experiment) -> None:
    begun = null_run(experiment, verdict=Verdict.INCONCLUSIVE, resolution_s=0.0)
    text = "\n".join(findings([replace(begun, watched_s=0.0)], budget_s=60))
    assert "1 null runs, 0.0 minutes watched" in text
    assert "no null run came to a reading, so no budget can be judged here" in text
    assert "an hour" not in text
    assert "needs" not in text


def test_what_a_budget_needs(experiment: Experiment) -> None:
    plan = plan_of(experiment)
    assert smallest_outage_s(plan) == pytest.approx(0.06)  # six bad requests in a row at 100 a second
    assert rate_needed_rps(plan, resolution_s=0.02, budget_s=10) == pytest.approx(29 / 0.2)  # the hold of 0.2 s asks for more
    assert rate_needed_rps(plan, resolution_s=0.11, budget_s=2) is None
    assert "cannot be judged here at any rate" in findings([null_run(experiment, resolution_s=0.2)], budget_s=1)[-1]


def test_an_outage_before_observation_is_a_false_one_too(tmp_path: Path) -> None:
    clean = write(build(NULL).run, tmp_path / "clean")
    early = write(change_rows(build(NULL).run, asked(-12, -11), outcome="fail", status=503), tmp_path / "early")
    for folder in (clean, early):
        write_verdict(judge(read_run(folder)), folder)
    assert read_null_run(clean).false_outages == 0
    assert read_null_run(early).false_outages == 1
    assert read_null_run(early).watched_s == pytest.approx(read_run(early).requests.height / NULL.rate_rps, rel=0.2)
    (early / "requests.parquet").write_bytes(b"damaged")
    said: list[str] = []
    assert [one.false_outages for one in stored(tmp_path, said.append)] == [0]
    assert said[0].startswith("left out: ")


def test_the_page_shows_every_judged_run_and_how_many_were_wanted(experiment: Experiment) -> None:
    text = page([null_run(experiment), null_run(experiment, outages=2, verdict=Verdict.FAIL)], 3, 10, "the command")
    assert "Made by `the command`: null runs, no fault; 2 of 3 were judged" in text
    assert [line.split(" | ")[1:3] for line in text.splitlines() if line[:3] in {"| 1", "| 2"}] == [["PASS", "0"], ["FAIL", "2"]]


def test_a_run_without_a_verdict_or_a_record_is_no_null_run(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        read_null_run(tmp_path)


def test_no_judged_run_is_no_finding() -> None:
    assert "nothing is known" in findings([], budget_s=None)[0]
