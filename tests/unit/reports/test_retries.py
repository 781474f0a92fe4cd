"""Policies of clients compared: users and attempts apart, the weakest policy that hid the fault named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from history.result import Verdict, write_verdict
from history.workloads import Retry
from reports.build import build as build_report
from reports.page.html import html
from reports.page.markdown import markdown as summary
from reports.retries import Met, added_at_worst, compare, markdown, met
from testing.histories.truth import Built, Hit, World, build
from testing.histories.truth_frames import write
from verdict import judge
from verdict.case import Case, case_of

NONE, NAIVE = Retry(), Retry(policy="naive", max_attempts=3, backoff_ms=50)
BUDGETED, HEDGED = Retry(policy="budgeted", max_attempts=3, budget_ratio=0.1), Retry(policy="hedged", max_attempts=2, hedge_after_ms=400)


@pytest.fixture(scope="module")
def built() -> Built:
    return build(World(hits=(Hit(0.2, 3.0, share=0.3),), rate_rps=40.0, spikes=0.0))


def case(built: Built, retry: Retry, saved: float = 0.0) -> Case:
    """The run of ``built`` with clients of policy ``retry``, who tried again after every failure: well for a share ``saved`` of them."""
    plan, rows = built.plan, built.run.requests
    plan = plan.model_validate(plan.model_dump(by_alias=True) | {"load": plan.load.model_copy(update={"retry": retry})})
    if retry.policy != "none":
        failed = rows.filter(pl.col("outcome") != "ok")
        number = int(failed.height * saved)
        answer = rows.filter(pl.col("outcome") == "ok", pl.col("max_gap_ms").is_null()).drop(
            "request_id", "attempt", "intended_ns", "sent_ns", "first_byte_ns", "done_ns"
        )
        again = failed.select(
            "request_id", pl.lit(1, dtype=pl.Int16).alias("attempt"), "intended_ns", sent_ns=pl.col("intended_ns") + 60_000_000
        )
        well = again.head(number).with_columns(first_byte_ns=pl.col("sent_ns") + 20_000_000, done_ns=pl.col("sent_ns") + 40_000_000)
        well = pl.concat([well, pl.concat([answer.head(1)] * max(number, 1)).head(number)], how="horizontal")
        badly = failed.tail(failed.height - number).with_columns(pl.lit(1, dtype=pl.Int16).alias("attempt"))
        rows = pl.concat([rows, well.select(rows.columns), badly]).sort("done_ns")
    return case_of(replace(built.run, plan=plan, requests=rows))


def ran(built: Built, retry: Retry, saved: float = 0.0, verdict: Verdict = Verdict.PASS) -> Met | None:
    return met(case(built, retry, saved), verdict)


def test_users_and_attempts_are_counted_apart(built: Built) -> None:
    (found,) = compare([ran(built, NONE, verdict=Verdict.FAIL), ran(built, NAIVE, saved=1.0, verdict=Verdict.PASS)])
    none, naive = found.rows
    assert (none.policy, none.bad, none.unanswered, none.hidden, none.added) == ("none", built.truth.bad, built.truth.bad, False, 0.0)
    assert (none.requests, none.attempts, none.attempts_bad) == (naive.requests, none.requests, built.truth.bad)
    assert (naive.bad, naive.hidden, naive.attempts, naive.attempts_bad) == (0, True, naive.requests + built.truth.bad, built.truth.bad)
    assert naive.added == pytest.approx(built.truth.bad / naive.requests)
    assert naive.peak > none.peak


def test_the_weakest_policy_that_hid_the_fault_is_named(built: Built) -> None:
    runs = [ran(built, retry, saved, verdict=Verdict.PASS) for retry, saved in ((NAIVE, 1.0), (HEDGED, 1.0), (NONE, 0.0), (BUDGETED, 0.3))]
    (found,) = compare(runs)
    assert [row.policy for row in found.rows] == ["none", "budgeted", "hedged", "naive"]
    assert found.weakest == "hedged"
    assert found.sentence.startswith("The weakest policy with no user-visible failure is hedged: it added ")
    assert "none left" in found.sentence
    assert "naive" not in found.sentence
    assert sum(row.hidden for row in found.rows) == 2


def test_if_none_hid_it_the_best_is_named(built: Built) -> None:
    (found,) = compare([ran(built, NONE, verdict=Verdict.FAIL), ran(built, BUDGETED, saved=0.5, verdict=Verdict.FAIL)])
    assert found.weakest is None
    assert found.sentence.startswith("No policy hid the fault from users; budgeted came closest: ")
    assert "No client tried again" not in found.sentence


def test_if_nobody_tried_again_that_is_said(built: Built) -> None:
    plan = built.plan.model_validate(
        built.plan.model_dump(by_alias=True) | {"load": built.plan.load.model_copy(update={"retry": BUDGETED})}
    )
    late = met(case_of(replace(built.run, plan=plan)), Verdict.FAIL)
    (found,) = compare([ran(built, NONE, verdict=Verdict.FAIL), late])
    assert found.sentence.endswith("answers were late, which only a hedge notices.")


def test_one_policy_is_no_comparison_and_other_loads_are_not_compared(built: Built) -> None:
    other = build(World(hits=(Hit(0.2, 3.0, share=0.3),), rate_rps=20.0, spikes=0.0))
    control = build(World(fault="none", replaced=False, horizon_s=12.0, rate_rps=40.0))
    assert compare([ran(built, NONE, verdict=Verdict.PASS), ran(built, NONE, verdict=Verdict.PASS)]) == ()
    assert compare([ran(built, NONE, verdict=Verdict.PASS), ran(other, NAIVE, verdict=Verdict.PASS)]) == ()
    assert compare([ran(control, NONE, verdict=Verdict.PASS), ran(control, NAIVE, verdict=Verdict.PASS)]) == ()


def test_runs_of_one_policy_are_added_up_and_the_worst_counts(built: Built) -> None:
    twice = [
        ran(built, HEDGED, 1.0, verdict=Verdict.PASS),
        ran(built, HEDGED, 0.0, verdict=Verdict.FAIL),
        ran(built, NONE, verdict=Verdict.FAIL),
    ]
    (found,) = compare(twice)
    hedged = found.rows[1]
    assert (hedged.runs, hedged.verdict, hedged.hidden, hedged.bad) == (2, Verdict.FAIL, False, built.truth.bad)
    assert hedged.requests == 2 * found.rows[0].requests


@pytest.mark.parametrize(("retry", "worst"), [(NONE, 0.0), (BUDGETED, 0.1), (HEDGED, 1.0), (NAIVE, 2.0)])
def test_what_a_policy_may_add(retry: Retry, worst: float) -> None:
    assert added_at_worst(retry) == worst


def test_markdown_has_a_row_a_policy(built: Built) -> None:
    (found,) = compare([ran(built, NONE, verdict=Verdict.FAIL), ran(built, NAIVE, saved=1.0, verdict=Verdict.PASS)])
    lines = markdown(found)
    assert sum(line.startswith(("| none |", "| naive |")) for line in lines) == 2
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_a_run_that_cannot_be_believed_hid_nothing(built: Built) -> None:
    (found,) = compare([ran(built, HEDGED, 1.0, verdict=Verdict.INCONCLUSIVE), ran(built, NONE)])
    assert found.weakest is None


def test_the_report_of_such_runs_has_a_section(built: Built, tmp_path: Path) -> None:
    for name, retry, saved in (("a", NONE, 0.0), ("b", NAIVE, 1.0)):
        run = case(built, retry, saved).run
        write_verdict(judge(run), write(run, tmp_path / name))
    report = build_report([tmp_path / "a", tmp_path / "b"])
    (found,) = report.retries
    assert found.weakest == "naive"
    page = html(report)
    assert '<h2 id="retries">Client retries</h2>' in page
    assert found.sentence in page
    assert "up to 3 attempts, 50 ms apart" in page
    assert f"Client retries, kill-replica: {found.sentence[:30]}" in summary(report)
    assert '<h2 id="retries">' not in html(build_report([tmp_path / "a"]))
