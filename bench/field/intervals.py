"""Inputs about the RTO's interval: what the record of an outage of known length is taken to mean."""

from __future__ import annotations

from dataclasses import replace

from bench.field.cases import Seen, case
from history.budgets import Budgets
from history.errors import TargetRefused
from history.reader import Run
from history.result import Check, Verdict
from runner.preflight.judgeable import refuse_blind
from testing.histories.edits import at, on_every_replica, with_plan
from testing.histories.llm_server import llm_run
from testing.histories.truth import Hit, World, build
from verdict import words
from verdict.case import case_of
from verdict.requests.interval import Interval, interval_of
from verdict.requests.recovery_time import rto

SEEDS = 60
CALM = World(slo_s=1.0, timeout_s=4.0, replaced=False)
FIVE = replace(CALM, hits=(Hit(0.0, 5.0),), rate_rps=1.0, baseline_s=355.0, hold_s=355.0)
NEAR = replace(CALM, hits=(Hit(0.0, 9.25),), rate_rps=2.0, baseline_s=175.0, hold_s=175.0, rto_budget_s=10.0)


@case("verdicts", "scripted LLM server: 503 to all for 6.04 s", "interval that contains 6.04")
def refused() -> Seen:
    """Judge it."""
    found = _interval(llm_run("refuse", 6.04))
    return Seen(_text(found), _contains(found, 6.04))


@case("verdicts", "same, frozen 8.00 s with 31 streams under way", "interval contains 8.0, ends no earlier than the last stall; 31 stalled")
def frozen() -> Seen:
    """Judge the first run of which 31 streams are under way."""
    runs = (llm_run("freeze", 8.0, seed=seed) for seed in range(1, 200))
    run, stood = next((run, stood) for run in runs if (stood := run.requests.filter(run.requests["max_gap_ms"] > 1000)).height == 31)
    found, last_s = _interval(run), (stood["gap_end_ns"].to_numpy().max() - at(0)) / 1e9
    text = f"{_text(found)}; {found.hurt} stalled, the last until {words.seconds(last_s)}"
    return Seen(text, _contains(found, 8.0) and found.hurt == stood.height and found.high_s >= last_s)


@case("verdicts", "1 request/s, total outage of 5 s, 60 seeds", "truth inside in 95 %; no outage says which would not have been found")
def five_seconds() -> Seen:
    """Judge each."""
    found = [_interval(on_every_replica(build(replace(FIVE, seed=seed)).run)) for seed in range(SEEDS)]
    inside, unseen = sum(_contains(one, 5.0) for one in found), [one for one in found if not one.low_s]
    floor = f", which says {_text(unseen[0])}" if unseen else ""
    return Seen(f"inside in {inside} of {SEEDS}; no outage seen in {len(unseen)}{floor}", inside >= 0.95 * SEEDS)


@case("verdicts", "truth 9.25 s, budget 10 s, 2/s", "FAIL only above the low end")
def near_the_budget() -> Seen:
    """Judge it with 60 seeds."""
    checks = [_check(build(replace(NEAR, seed=seed)).run) for seed in range(SEEDS)]
    failed = [check for check in checks if check.verdict is Verdict.FAIL]
    counts = ", ".join(f"{sum(check.verdict is one for check in checks)} {one}" for one in Verdict)
    return Seen(counts, not failed)


@case("verdicts", "0.1 request/s, RTO budget 60 s", "refused in preflight with the rate needed")
def a_request_every_ten_seconds() -> Seen:
    """Ask preflight."""
    plan = with_plan(build(CALM).run, load={"rate_rps": 0.1}, budgets=Budgets(rto_s=60.0, source={"rto_s": "target"})).plan
    try:
        refuse_blind(plan)
    except TargetRefused as error:
        return Seen(str(error), "at least 0.11 requests/s" in str(error))
    return Seen("accepted", right=False)


def _interval(run: Run) -> Interval:
    found = interval_of(case_of(run))
    assert found is not None, "every run has a fault"  # noqa: S101
    return found


def _check(run: Run) -> Check:
    found = rto(case_of(run))
    assert found is not None, "every run has a budget"  # noqa: S101
    return found


def _contains(found: Interval, truth_s: float) -> bool:
    return found.low_s <= truth_s <= found.high_s


def _text(found: Interval) -> str:
    return f"RTO {words.interval(found.low_s, found.high_s)}"
