"""Small things that were wrong once: hints that name what is there, values that are shown, runs that nobody judged, pods that are over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from history.plan import write_plan
from history.reader import read_table
from history.result import RunVerdict, Verdict
from history.schema import EventKind
from runner.experiment.catalogue import all_faults, replacement_of
from runner.preflight.platform_health import complaints, look
from runner.run.context import Context
from runner.run.phases.drain_and_judge import judge_what_is_left
from runner.run.phases.hypothesis import evaluate
from testing.platform.fake_cluster import pod
from testing.runs.runner_cluster import RunnerCluster
from testing.runs.runner_parts import scripted


@pytest.mark.parametrize("action", ["terminate_pods", "delete_pods", "exec_in_pods", "cordon_node", "drain_nodes"])
def test_every_wrapper_that_a_refusal_names_is_a_fault_of_ours(action: str) -> None:
    assert replacement_of(action) in all_faults()


@pytest.mark.parametrize(("value", "shown"), [([1, 2], "[1, 2]"), ({"depth": 3}, "{'depth': 3}"), (0.5, 0.5), ("text", "text")])
def test_a_probe_that_shows_no_number_is_recorded_as_what_it_shows(context: Context, value: Any, shown: object) -> None:
    scripted["served"] = [value]
    evaluate(context, "baseline")
    rows = read_table(context.run.run_dir, "events")
    [event] = [row for row in rows.iter_rows(named=True) if row["kind"] == EventKind.HYPOTHESIS.value]
    assert json.loads(event["detail"])["value"] == shown


def test_a_run_that_nobody_judged_is_judged_from_what_is_left(context: Context) -> None:
    run_dir = context.run.run_dir
    write_plan(context.run.plan, run_dir)
    verdict = judge_what_is_left(run_dir)
    assert verdict is not None
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert RunVerdict.model_validate_json((run_dir / "verdict.json").read_text()) == verdict


def test_a_run_whose_record_is_no_record_says_that_it_was_never_judged(context: Context) -> None:
    run_dir = context.run.run_dir
    write_plan(context.run.plan, run_dir)
    (run_dir / "requests.parquet").write_text("no table")
    verdict = judge_what_is_left(run_dir)
    assert verdict is not None
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert "The run was never judged" in verdict.sentence


def test_without_a_plan_there_is_nothing_to_judge(tmp_path: Path) -> None:
    assert judge_what_is_left(tmp_path) is None


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_pods_that_are_over_are_no_replicas(phase: str) -> None:
    cluster = RunnerCluster()
    rejected = pod("inference-0-rejected", "cpu-a", ready=False)
    rejected.status.phase = phase
    rejected.status.container_statuses = None
    cluster.pods["ml-serving", "inference-0-rejected"] = rejected
    platform = cluster.platform()
    assert "inference-0-rejected" not in {one.metadata.name for one in platform.pods("inference")}
    assert "inference-0-rejected" in {one.metadata.name for one in platform.pods("inference", finished=True)}
    assert complaints(platform, look(platform)) == []
