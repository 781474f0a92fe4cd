"""Who was hurt, and how long was watched: streams under way at the fault, and impact that begins late."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from bench.field.cases import Seen, case
from history.result import Check, RunVerdict, Verdict
from runner.request import PROFILES
from testing.histories.edits import with_plan
from testing.histories.streams import Streams, recorded
from testing.histories.truth import Hit, World, build
from verdict import judge

CUT = Streams(seed=3)
LONG = Streams(lengths_s=(20.0, 40.0), latency_s=20.0, rate_rps=2.0, ratio=0.95, whom=pl.col("request_id") % 3 == 0)
FAULT_S, HOLD_S = 60.0, 10.0
LATE = World(hits=(Hit(25.0, 30.0),), hold_s=HOLD_S)


@case(
    "verdicts", "3 requests/s, streams of 8-16 s, all 39 under way cut at the fault", "39 cut: in availability, interrupted, the sentence"
)
def all_cut() -> Seen:
    """Cut every answer under way; whoever asks later is served."""
    made = recorded(CUT)
    verdict = judge(made.run)
    share, sentence = _value(verdict, "availability"), _check(verdict, "rto").sentence
    counted = abs(share - made.asked_after / (made.asked_after + made.hurt)) < 1e-9
    right = made.hurt == 39 == _value(verdict, "requests_interrupted") and counted and "39 of 39 answers under way were cut" in sentence
    return Seen(f"{verdict.verdict}: availability {share:.1%}, {_check(verdict, 'interrupted').sentence} {sentence}", right)


@case("verdicts", "streams of 20-40 s, slo.latency 20 s, a third cut", "cut by the fault; the baseline is well")
def long_streams() -> Seen:
    """Cut a third of answers that are longer than the SLO's latency, which limits only those that are not streamed."""
    made = recorded(LONG)
    verdict = judge(made.run)
    baseline, caught = _check(verdict, "baseline"), _value(verdict, "requests_interrupted")
    said = f"baseline {baseline.verdict}, {caught:.0f} interrupted of {made.hurt} cut: {verdict.sentence}"
    return Seen(said, baseline.verdict is Verdict.PASS and caught == made.hurt)


@case("verdicts", "fault lasts 60 s, impact from 25 s to 55 s, hold 10 s: profile smoke", "says how much was watched")
def watched_briefly() -> Seen:
    """Watch as the smoke profile may: until all was well for a hold."""
    run = with_plan(build(replace(LATE, hits=(), watched_s=11.6)).run, timers={"fault_s": FAULT_S})
    verdict = judge(run)
    return Seen(f"{verdict.verdict}: {verdict.sentence}", "Watched 11.6 of the 60 s that the fault lasted" in verdict.sentence)


@case("verdicts", "fault lasts 60 s, impact from 25 s to 55 s, hold 10 s: profile full", "sees it")
def watched_to_the_end() -> Seen:
    """Watch as the full profile does: to the fault's end and a hold beyond."""
    to_the_end_s = FAULT_S + HOLD_S if PROFILES["full"].to_the_end else 11.6
    verdict = judge(with_plan(build(replace(LATE, watched_s=to_the_end_s)).run, timers={"fault_s": FAULT_S, "watch_s": to_the_end_s}))
    rto_s, watched = _value(verdict, "rto"), _check(verdict, "watched")
    return Seen(f"RTO {rto_s:.1f} s: {watched.sentence}", abs(rto_s - 55) < 0.2 and watched.verdict is Verdict.PASS)


def _value(verdict: RunVerdict, name: str) -> float:
    found = verdict.measurement(name)
    return found.value if found and found.value is not None else float("nan")


def _check(verdict: RunVerdict, name: str) -> Check:
    return next(check for check in verdict.checks if check.name == name)
