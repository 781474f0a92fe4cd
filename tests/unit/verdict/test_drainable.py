"""Whether a node can be drained: in time, not in time, held for ever by a disruption budget, or held while a replacement loads."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.reader import Run
from history.result import Verdict
from history.schema import EventKind, Series
from testing.histories.edits import add_event, drop_events, drop_samples, with_plan
from testing.histories.truth import Hit
from tests.unit.verdict.conftest import HIT, NULL, check_of, run_of
from verdict import judge

HELD = "pod ml-serving/inference-a: a disruption budget still forbids its eviction (Cannot evict pod); look at kubectl get pdb"
LONG = replace(HIT, hits=(Hit(0.2, 3.0),), watched_s=40.0)


def drained(after_s: float = 21.0, budget_s: float = 900.0) -> Run:
    """Return a run in which a node was seen to be drained after so long."""
    run = drop_events(with_plan(run_of(LONG), drain_budget_s=budget_s), EventKind.FAULT_CONFIRMED)
    return add_event(run, after_s, EventKind.FAULT_CONFIRMED, "node-drained", observed=True)


def refused(why: str = HELD) -> Run:
    """Return a run in which the drain gave up after 30 s, while three replicas of three were ready."""
    run = drop_samples(add_event(drained(), 30.0, EventKind.FAULT_FAILED, "drain-node", error=why), Series.READY_REPLICAS.value)
    return counted(run, 3)


def counted(run: Run, ready: float, role: str = "inference") -> Run:
    """Return ``run`` with replicas counted once more, 28 s after the fault."""
    row = run.samples.head(1).with_columns(
        pl.lit(run.first(EventKind.FAULT_START)).cast(pl.Int64).add(28_000_000_000).alias("t_ns"),
        pl.lit(Series.READY_REPLICAS.value).alias("series"),
        pl.lit(f'{{"role": "{role}"}}').alias("labels"),
        pl.lit(float(ready)).alias("value"),
    )
    return replace(run, samples=pl.concat([run.samples, row]))


@pytest.mark.parametrize(("budget_s", "verdict"), [(900.0, Verdict.PASS), (20.0, Verdict.FAIL)])
def test_a_drain_is_within_its_budget_or_over_it(budget_s: float, verdict: Verdict) -> None:
    found = check_of(judge(drained(budget_s=budget_s)), "drainable")
    assert found.verdict is verdict
    assert found.measured == pytest.approx(21.0, abs=0.01)
    assert "was drained 21 s after the first eviction" in found.sentence


def test_a_budget_that_allows_nothing_while_all_are_ready_fails() -> None:
    found = check_of(judge(refused()), "drainable")
    assert found.verdict is Verdict.FAIL
    assert "although every replica was ready for 15 s, so no drain ends" in found.sentence


def test_a_budget_that_waits_for_a_replacement_is_at_work() -> None:
    found = check_of(judge(counted(refused(), 2)), "drainable")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "It may be at work" in found.sentence


def test_nothing_is_concluded_where_nobody_counted_replicas() -> None:
    found = check_of(judge(drop_samples(refused(), Series.READY_REPLICAS.value)), "drainable")
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_drain_that_ends_otherwise_says_why() -> None:
    found = check_of(judge(refused("node gpu-a: evicted pods are still there after 120 s")), "drainable")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "still there after 120 s" in found.sentence


def test_a_drain_that_nobody_saw_done_is_not_known() -> None:
    assert check_of(judge(drop_events(drained(), EventKind.FAULT_CONFIRMED)), "drainable").verdict is Verdict.INCONCLUSIVE


def test_runs_that_drain_nothing_have_no_such_check() -> None:
    assert all(check.name != "drainable" for check in judge(run_of(LONG)).checks)
    assert all(check.name != "drainable" for check in judge(with_plan(run_of(NULL), drain_budget_s=900.0)).checks)
