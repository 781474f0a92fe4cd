"""The run in Chaos Toolkit's own journal, and a history that is closed and judged whatever happened."""

from __future__ import annotations

import json

import pytest

from history.plan import write_plan
from history.result import RunVerdict, Verdict
from runner.experiment.experiment import Experiment
from runner.run.context import Context
from runner.run.phases.drain_and_judge import close_and_judge, unjudged
from runner.run.phases.hypothesis import evaluate
from runner.run.phases.inject import inject
from runner.run.toolkit_journal import ToolkitJournal
from testing.runs.runner_parts import plan_of


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
    assert (context.run.run_dir / "requests.parquet").exists()
    assert (context.run.run_dir / "journal.json").exists()
