"""Broken records, loads, faults and probes as recorded runs: what each mutation is, the check that must name it, and its words. A case is a row."""
# ruff: noqa: E501 - a row is a line

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl

from history.reader import Run
from history.schema import EventKind, Series
from testing.histories.alerts import RULE, recorded
from testing.histories.edits import (
    add_event,
    asked,
    at,
    change_details,
    change_rows,
    change_samples,
    drop_events,
    drop_rows,
    drop_samples,
    move_events,
    with_plan,
)
from testing.histories.truth import Hit, World
from testing.histories.truth_plan import REPLICAS

HIT = World(hits=(Hit(0.2, 3.0),), streams=0.3)
NULL = World(fault="none", replaced=False, horizon_s=25.0)
SHAM = World(fault="sham", replaced=False, horizon_s=25.0)
TARGET = REPLICAS[0]
HOUR_NS = 3_600_000_000_000
ID, KIND, NAME = pl.col("request_id"), EventKind, pl.col("object")
INTENDED, SENT, DONE = pl.col("intended_ns"), pl.col("sent_ns"), pl.col("done_ns")
ALL = pl.lit(value=True)
Mutation = tuple[str, World, Callable[[Run], Run], str, str]


def shifted(run: Run, where: pl.Expr, by_ns: int) -> Run:
    return change_rows(run, where, intended_ns=INTENDED + by_ns, sent_ns=SENT + by_ns, done_ns=DONE + by_ns, first_byte_ns=None)


def unsent(run: Run, where: pl.Expr) -> Run:
    return change_rows(run, where, sent_ns=None, done_ns=None, first_byte_ns=None, outcome="fail", status=None, valid=None, complete=None)


def cut(run: Run, where: pl.Expr) -> Run:
    """Cut what was asked in the last second before the fault as it strikes."""
    chosen = asked(-0.2, 0) & where
    return change_rows(run, chosen, outcome="unknown", complete=False, valid=None, done_ns=at(0.05))


def drop_scheduled(run: Run, where: pl.Expr) -> Run:
    gone = run.requests.filter(where)["request_id"]
    left = replace(run, requests=run.requests.filter(~where), schedule=run.schedule.filter(~ID.is_in(gone.implode())))
    return change_details(left, KIND.LOAD_AUDIT, lambda _, d: d | {"recorded": left.requests.height, "sent": left.requests.height})


def halved(run: Run) -> Run:
    kept = run.schedule.filter(ID % 2 == 0).with_columns(ID // 2)
    return replace(run, schedule=kept, requests=run.requests.filter(ID % 2 == 0).with_columns(ID // 2))


def said(run: Run, name: str, after_s: float = -100, until_s: float = 100, **what: object) -> Run:
    return change_details(run, KIND.HYPOTHESIS, lambda t, detail: detail | (what if at(after_s) <= t < at(until_s) else {}), name)


def stopped_early(run: Run) -> Run:
    return move_events(drop_rows(run, asked(8, 100)), KIND.LOAD_STOP, by_s=8 - 18.2)


def without_target_events(run: Run) -> Run:
    return drop_events(run, KIND.POD_STARTED, KIND.POD_GONE, where=NAME.eq(run.plan.targets[0].name))


def drained(run: Run, after_s: float | None) -> Run:
    """Drain a node for up to 15 s; the evidence sees ``after_s`` after the fault that it is empty, or never."""
    planned = drop_events(with_plan(run, drain_budget_s=15.0), KIND.FAULT_CONFIRMED)
    return planned if after_s is None else add_event(planned, after_s, KIND.FAULT_CONFIRMED, "node-drained", observed=True)


def empty(name: str) -> Callable[[Run], Run]:
    return lambda run: replace(run, **{name: getattr(run, name).clear()})


HISTORIES: list[Mutation] = [
    ("one row is missing", HIT, lambda r: drop_rows(r, ID == 2000), "history", "1 scheduled request has no row, the first"),
    ("one row before the fault is missing", HIT, lambda r: drop_rows(r, ID == 9), "history", "before the fault"),
    ("a bad row is missing", HIT, lambda r: drop_rows(r, (ID == 1700)), "history", "no row"),
    ("the recording has a gap", HIT, lambda r: drop_rows(r, asked(6, 8)), "history", "have no row, the first 6 s"),
    ("the second half is missing", HIT, lambda r: drop_rows(r, asked(0, 100)), "history", "have no row"),
    ("the last rows are missing", HIT, lambda r: drop_rows(r, asked(14, 100)), "history", "have no row"),
    ("no requests", HIT, empty("requests"), "history", "it holds no requests"),
    ("no schedule", HIT, empty("schedule"), "history", "it holds no schedule"),
    ("no events", HIT, empty("events"), "history", "it holds no events"),
    ("a torn line", HIT, lambda r: replace(r, torn=("requests.w0.jsonl",)), "history", "last line of requests.w0.jsonl was cut off"),
    ("duplicate ids", HIT, lambda r: replace(r, requests=pl.concat([r.requests, r.requests[500:501]])), "history", "duplicate ids"),
    ("all rows twice", HIT, lambda r: replace(r, requests=pl.concat([r.requests, r.requests])), "history", "duplicate ids"),
    ("a scheduled id twice", HIT, lambda r: replace(r, schedule=pl.concat([r.schedule, r.schedule[-1:]])), "history", "duplicate ids"),
    ("rows in reverse", HIT, lambda r: replace(r, requests=r.requests.reverse()), "history", "out of order in time"),
    ("rows shuffled", HIT, lambda r: replace(r, requests=r.requests.sample(fraction=1, shuffle=True, seed=1)), "history", "out of order"),
    ("the clock jumps an hour ahead", HIT, lambda r: shifted(r, asked(6, 100), HOUR_NS), "history", "a clock jumped"),
    ("the clock jumps 3 s back", HIT, lambda r: shifted(r, asked(6, 100), -3_000_000_000), "history", "a clock jumped"),
    ("the clock jumps during requests", HIT, lambda r: change_rows(r, asked(6, 7), done_ns=DONE + HOUR_NS), "history", "impossible times"),
    ("answered before sent", HIT, lambda r: change_rows(r, ID == 800, done_ns=SENT - 1), "history", "1 row has impossible times"),
    ("sent before asked", HIT, lambda r: change_rows(r, ID == 800, sent_ns=INTENDED - 10**8), "history", "impossible times"),
    ("all requests an hour off", HIT, lambda r: shifted(r, ALL, HOUR_NS), "history", "a clock jumped"),
    ("two clocks disagree", HIT, lambda r: change_details(r, KIND.CLOCK, lambda _, d: d | {"wall_ns": d["wall_ns"] + 5 * 10**9}, "w0"), "history", "the clocks of runner and w0 disagree by 5 s"),
    ("no clock was recorded", HIT, lambda r: drop_events(r, KIND.CLOCK), "history", "no process recorded its clock"),
    ("an offset is not a number", HIT, lambda r: add_event(r, -5, KIND.CLOCK, "w0", offset_ms=None), "history", "offset of w0 is not a number"),
    ("a row without an id", HIT, lambda r: change_rows(r, ID == 800, request_id=None), "history", "1 row lacks a required value"),
    ("a row without an outcome", HIT, lambda r: change_rows(r, ID == 800, outcome=None), "history", "lacks a required value"),
    ("a row without its time", HIT, lambda r: change_rows(r, ID == 800, intended_ns=None), "history", "lacks a required value"),
    ("answers without their time", HIT, lambda r: change_rows(r, ID % 100 == 0, done_ns=None), "history", "lack a required value"),
    ("a schedule without kinds", HIT, lambda r: replace(r, schedule=r.schedule.with_columns(stream=pl.lit(None, pl.Boolean))), "history", "lack a required value"),
    ("a row of no scheduled request", HIT, lambda r: change_rows(r, ID == 800, request_id=10**9), "history", "belongs to no scheduled request"),
    ("a damaged detail", HIT, lambda r: replace(r, events=r.events.with_columns(detail=pl.lit("{"))), "history", "lack a required value"),
    ("an event without a time", HIT, lambda r: replace(r, events=pl.concat([r.events, r.events[:1].with_columns(t_ns=pl.lit(None, pl.Int64))])), "history", "lacks a required value"),
    ("phases out of order", HIT, lambda r: move_events(r, KIND.PHASE, 30, NAME == "inject"), "history", "phases are out of order"),
    ("confirmed before it began", HIT, lambda r: move_events(r, KIND.FAULT_CONFIRMED, -2), "history", "confirmed 1.5 s before it began"),
    ("a fault outside the load", HIT, lambda r: move_events(r, KIND.FAULT_START, 3600), "history", "outside the time of the load"),
    ("the start of the load is missing", HIT, lambda r: drop_events(r, KIND.LOAD_START), "history", "start of the load was not recorded"),
    ("nobody heard what an alerting rule said", NULL, lambda r: with_plan(r, alerts=(RULE,)), "alerts", "and Prometheus did not say for"),
    ("Prometheus was silent of an alerting rule for a while", NULL, lambda r: recorded(r, blind=(1, 8)), "alerts", "did not say for 8 s whether it fired"),
    ("an alerting rule could not be evaluated", NULL, lambda r: recorded(r, state="failed"), "alerts", "it could not be evaluated for"),
    ("no hold", HIT, lambda r: with_plan(r, timers={"hold_s": 0.0}), "history", "the plan's hold_s is 0 s"),
]  # fmt: skip
LOADS: list[Mutation] = [
    ("the load stops early", HIT, stopped_early, "load", "before healing began"),
    ("the load dies", HIT, lambda r: drop_events(drop_rows(r, asked(8, 100)), KIND.LOAD_STOP, KIND.LOAD_AUDIT), "load", "never said when it stopped"),
    ("half the rate is scheduled", HIT, halved, "load", "the plan says 100"),
    ("2 % are never sent", HIT, lambda r: unsent(r, ID % 50 == 0), "load", "of the scheduled requests were sent, 99 % are needed"),
    ("a closed loop sends late", HIT, lambda r: change_rows(r, asked(0.2, 3.2), sent_ns=INTENDED + 60_000_000, first_byte_ns=None, done_ns=INTENDED + 62_000_000), "load", "requests left late: send lag p99"),
    ("the generator is silent for a second", HIT, lambda r: change_rows(r, asked(5, 6), sent_ns=at(6), first_byte_ns=None, done_ns=at(6) + 50_000_000), "load", "was silent for"),
    ("a second of requests is never sent", HIT, lambda r: unsent(r, asked(5, 5.2)), "load", "was silent for"),
    ("the cap is hit", HIT, lambda r: change_details(r, KIND.LOAD_AUDIT, lambda _, d: d | {"cap_hit": 3}), "load", "cap on requests in flight was hit 3 times"),
    ("the generator's CPU is full", HIT, lambda r: change_samples(r, Series.LOAD_CPU.value, pl.lit(0.97)), "load", "used 97 % of its core"),
    ("the generator's own CPU figure is full", HIT, lambda r: change_details(r, KIND.LOAD_AUDIT, lambda _, d: d | {"cpu_share_max": 0.91}), "load", "91 %"),
    ("its CPU is not a number", HIT, lambda r: change_samples(change_details(r, KIND.LOAD_AUDIT, lambda _, d: d | {"cpu_share_max": None}), Series.LOAD_CPU.value, pl.lit(float("nan"))), "load", "CPU was not recorded"),
    ("its CPU record is stale", HIT, lambda r: drop_samples(change_details(r, KIND.LOAD_AUDIT, lambda _, d: d | {"cpu_share_max": None}), Series.LOAD_CPU.value, pl.col("t_ns") > at(1)), "load", "CPU was not recorded"),
    ("no account of itself", HIT, lambda r: drop_events(r, KIND.LOAD_AUDIT), "load", "0 of 1 load worker gave an account"),
    ("a worker never started", HIT, lambda r: with_plan(r, load={"workers": 2}), "load", "1 of 2 load workers started"),
    ("rows were written and lost", HIT, lambda r: change_details(r, KIND.LOAD_AUDIT, lambda _, d: d | {"recorded": d["recorded"] + 7}), "history", "the record holds"),
]  # fmt: skip
BEFORE: list[Mutation] = [
    ("no baseline", HIT, lambda r: drop_events(r, KIND.PHASE, where=NAME == "baseline"), "baseline", "There was no baseline"),
    ("a short baseline", HIT, lambda r: move_events(r, KIND.PHASE, 10, NAME == "baseline"), "baseline", "the baseline lasted"),
    ("too few requests in the baseline", replace(HIT, rate_rps=15, hold_s=25), lambda r: r, "baseline", "299 are needed to say that 99 % are served"),
    ("users are failing before the fault", HIT, lambda r: change_rows(r, asked(-12, -11), outcome="fail", status=503), "baseline", "1 outage began before the fault"),
    ("the SLO is missed before the fault", HIT, lambda r: change_rows(r, asked(-16, 0) & (ID % 40 == 0), valid=False), "baseline", "of its requests were good, 99 % are needed"),
    ("wrong answers before the fault", HIT, lambda r: change_rows(r, ID == 100, valid=False), "baseline", "1 answer was wrong"),
    ("the hypothesis does not hold before", HIT, lambda r: said(r, "latency-p95", -9, -7, met=False), "baseline", "probe latency-p95 was unmet 2 times"),
    ("no data before", HIT, lambda r: said(r, "latency-p95", -9, -7, value=None), "baseline", "probe latency-p95 had no data"),
    ("a probe that is never asked before", HIT, lambda r: drop_events(r, KIND.HYPOTHESIS, where=(NAME == "latency-p95") & (pl.col("t_ns") < at(0))), "baseline", "latency-p95 was not asked"),
    ("a hypothesis without probes", HIT, lambda r: with_plan(r, hypothesis_probes=()), "baseline", "the hypothesis has no probe"),
    ("nothing injected", HIT, lambda r: drop_events(r, KIND.FAULT_START, KIND.FAULT_CONFIRMED), "fault", "nothing was injected"),
    ("an action failed", HIT, lambda r: add_event(r, 0.1, KIND.FAULT_FAILED, "kill-replica", error="403 Forbidden"), "fault", "kill-replica failed (403 Forbidden)"),
    ("a no-op: no target", HIT, lambda r: change_details(r, KIND.FAULT_START, lambda *_: {"targets": []}), "fault", "acted on no target"),
    ("the wrong target", HIT, lambda r: change_details(r, KIND.FAULT_START, lambda *_: {"targets": ["Pod/billing-1"]}), "fault", "acted on billing-1, which the plan does not name"),
    ("2 of 3 targets", HIT, lambda r: with_plan(r, targets=tuple(r.plan.targets[0].model_copy(update={"name": n}) for n in ("inference-4k2xp", "b", "c"))), "fault", "acted on 1 of 3 planned targets, not on b and c"),
    ("no effect", HIT, lambda r: add_event(drop_events(r, KIND.FAULT_CONFIRMED), 10, KIND.FAULT_UNCONFIRMED, "replica-gone", observed="uid 5f0c still there", deadline_s=10), "evidence", "replica-gone saw uid 5f0c still there for 10 s"),
    ("evidence never seen", HIT, lambda r: drop_events(r, KIND.FAULT_CONFIRMED), "evidence", "replica-gone never saw it"),
    ("one of two evidence probes", HIT, lambda r: with_plan(r, evidence=("replica-gone", "engine-gone")), "evidence", "engine-gone never saw it"),
    ("evidence of nothing", HIT, lambda r: change_details(r, KIND.FAULT_CONFIRMED, lambda *_: {"observed": None}), "evidence", "did not say what it saw"),
    ("no evidence planned", HIT, lambda r: with_plan(r, evidence=()), "evidence", "names no evidence probe"),
    ("healed too early", HIT, lambda r: move_events(r, KIND.FAULT_CONFIRMED, 16), "evidence", "only while the platform was being healed"),
    ("a fault of 45 s ends after 4 s", HIT, lambda r: add_event(without_target_events(with_plan(r, timers={"fault_s": 45.0})), 4, KIND.FAULT_EVIDENCE, "replica-gone", held=False, observed="False"), "evidence", "did not see it any more 4 s after it began, it was to last 45 s"),
    ("stamped after its effect", HIT, lambda r: add_event(move_events(r, KIND.PHASE, -3, NAME == "inject"), -2, KIND.POD_GONE, "inference-4k2xp"), "fault", "inference-4k2xp was hit (pod.gone) 2 s before the fault is said to have begun"),
    ("evidence that is always true", HIT, lambda r: move_events(r, KIND.FAULT_CONFIRMED, -1), "evidence", "replica-gone saw it before the fault began"),
    ("nobody knows whether the replica was asked", HIT, lambda r: with_plan(change_rows(r, ALL, pod=None), role="inference"), "exposure", "no answer names its pod"),
    ("hardly anybody asked the replica", HIT, lambda r: with_plan(r, role="inference", timers={"fault_s": 0.1}), "exposure", "Only 4 requests met the replica"),
    ("a null control with a fault", NULL, lambda r: add_event(r, 1, KIND.FAULT_START, "kill-replica", targets=["Pod/x"]), "fault", "This is a null control, but kill-replica"),
]  # fmt: skip
AFTER: list[Mutation] = [
    ("over the RTO budget", HIT, lambda r: with_plan(r, budgets={"rto_s": 2.0}), "rto", "the budget is 2 s"),
    ("within the interval", HIT, lambda r: with_plan(r, budgets={"rto_s": 3.2}), "rto", "too close to the budget"),
    ("a budget shorter than what is found", replace(HIT, hits=()), lambda r: with_plan(r, budgets={"rto_s": 0.1}), "rto", "too close to the budget to call; about"),
    ("too few requests in the hold", HIT, lambda r: with_plan(r, timers={"hold_s": 2.0}), "rto", "requests arrived in the hold of 2 s, 299 are needed"),
    ("a budget that is not a number", HIT, lambda r: with_plan(r, budgets={"rto_s": float("nan")}), "rto", "the budget is nan s"),
    ("never served again", replace(HIT, hits=(Hit(0.2, 100.0),), watched_s=70.0), lambda r: r, "rto", "Users were not served again within 70 s"),
    ("watched too briefly to know", replace(HIT, hits=(Hit(0.2, 100.0),), watched_s=20.0), lambda r: r, "rto", "still not served 20 s after the fault"),
    ("the hold was cut short", replace(HIT, watched_s=8.0), lambda r: r, "rto", "too short to see a recovery that holds"),
    ("no outage seen, but hardly watched", replace(HIT, hits=(), watched_s=5.0), lambda r: r, "rto", "less than a hold of 10 s"),
    ("recovery only by healing", replace(HIT, hits=(Hit(0.2, 30.8),), watched_s=31.0, rto_budget_s=20), lambda r: drop_events(r, KIND.STOPPED), "rto", "not served again within 31 s"),
    ("availability below budget", HIT, lambda r: with_plan(r, budgets={"availability": 0.99}), "availability", "were good; the budget is 99 %"),
    ("too few requests for the availability", replace(HIT, hits=()), lambda r: with_plan(r, budgets={"availability": 0.999, "availability_over_s": 13.0}), "availability", "That needs 2,995 requests"),
    ("more bad seconds than budgeted", HIT, lambda r: with_plan(r, budgets={"bad_seconds": 2.0}), "bad_seconds", "as many as are asked in"),
    ("bad seconds without an end", replace(HIT, hits=(Hit(0.2, 100.0),), watched_s=20.0), lambda r: with_plan(r, budgets={"bad_seconds": 60.0}), "bad_seconds", "so there may be more"),
    ("answers under way elsewhere are cut", HIT, lambda r: cut(r, pl.col("pod") != TARGET), "interrupted", "elsewhere; the budget is none elsewhere"),
    ("answers under way on the target of a graceful fault are cut", HIT, lambda r: cut(with_plan(r, graceful=True), pl.col("pod") == TARGET), "interrupted", "on its targets"),
    ("answers under way are cut, and no pod is named", HIT, lambda r: change_rows(cut(r, ALL), ALL, pod=None), "interrupted", "no answer says which pod it is of"),
    ("a budget of the interrupted, and nobody under way", HIT, lambda r: with_plan(drop_scheduled(r, asked(-1, 0)), budgets={"interrupted": 0.0}), "interrupted", "No request was under way"),
    ("a fault that was to be watched to its end", HIT, lambda r: with_plan(r, timers={"fault_s": 45.0, "watch_s": 55.0}), "watched", "Watched 16.2 of the 45 s that the fault lasted"),
    ("wrong answers", HIT, lambda r: change_rows(r, ID == 2500, valid=False), "rpo_requests", "1 acknowledged answer was lost"),
    ("answers never checked", HIT, lambda r: change_rows(r, ALL, valid=None), "rpo_requests", "could not be checked"),
    ("a constant answer of nobody", HIT, lambda r: change_rows(r, asked(-1, 100), status=None, complete=None), "rpo_requests", "No answer was acknowledged"),
    ("slow after recovery", HIT, lambda r: change_rows(r, asked(4, 12) & (pl.col("outcome") == "ok"), first_byte_ns=INTENDED + 200 * 10**6, done_ns=INTENDED + 200 * 10**6), "latency", "the budget is 1.5 times"),
    ("capacity not back", HIT, lambda r: drop_events(r, KIND.POD_READY, where=NAME == "inference-new01"), "capacity_rto", "was not back within 16.2 s"),
    ("capacity back too late", HIT, lambda r: with_plan(r, budgets={"capacity_rto_s": 5.0}), "capacity_rto", "was back 7 s after the fault; the budget is 5 s"),
    ("replicas never counted", HIT, lambda r: drop_samples(drop_events(r, KIND.POD_READY), Series.READY_REPLICAS.value), "capacity_rto", "no ready replicas of inference were recorded"),
    ("the count of replicas is stale", HIT, lambda r: drop_samples(drop_events(r, KIND.POD_READY), Series.READY_REPLICAS.value, pl.col("t_ns") > at(0.5)), "capacity_rto", "last counted"),
    ("the hypothesis does not hold again", HIT, lambda r: said(r, "ready-replicas", 8, met=False, value=2), "hypothesis", "did not hold again by the end: ready-replicas (last value 2)"),
    ("no data at the end", HIT, lambda r: said(r, "latency-p95", 4, no_data=True), "hypothesis", "latency-p95 had no data at the end"),
    ("not a number at the end", HIT, lambda r: said(r, "latency-p95", 4, value=float("nan")), "hypothesis", "latency-p95 had no data at the end"),
    ("neither met nor unmet", HIT, lambda r: said(r, "latency-p95", 4, met=None), "hypothesis", "latency-p95 had no data at the end"),
    ("a probe that stands still", HIT, lambda r: said(r, "latency-p95", met=True, value=83.25), "hypothesis", "latency-p95 stood still at 83.25"),
    ("a probe that stands still from the fault on", HIT, lambda r: said(r, "latency-p95", 0, met=True, value=83.25), "hypothesis", "latency-p95 stood still at 83.25"),
    ("a probe that falls silent", HIT, lambda r: drop_events(r, KIND.HYPOTHESIS, where=(NAME == "latency-p95") & (pl.col("t_ns") > at(2))), "hypothesis", "latency-p95 was not asked between recovery and healing"),
    ("a renamed probe", HIT, lambda r: with_plan(r, hypothesis_probes=("latency_p95", "ready-replicas")), "hypothesis", "latency_p95 was not asked"),
    ("an outage without a fault", replace(NULL, hits=(Hit(2.0, 1.0),)), lambda r: r, "impact", "Nothing was broken, yet 1 outage was seen"),
    ("an outage by a decoy", replace(SHAM, hits=(Hit(2.0, 1.0),)), lambda r: r, "impact", "Nothing was broken, yet 1 outage was seen"),
    ("a control that nobody watched", NULL, lambda r: drop_events(r, KIND.PHASE, where=NAME.is_in(["observe", "inject"])), "impact", "never observed"),
    ("not healed", HIT, lambda r: drop_events(r, KIND.HEAL_END), "heal", "never proven to be as before"),
    ("not clean, nothing injected", HIT, lambda r: change_details(drop_events(r, KIND.FAULT_START, KIND.FAULT_CONFIRMED), KIND.HEAL_END, lambda *_: {"clean": False, "remains": ["node zone-a-gpu is cordoned"]}), "heal", "although nothing was injected"),
    ("an alert in a control run", NULL, lambda r: recorded(r, (3, 6)), "alerts", "it fired 3.5 s after the fault, yet nothing was broken"),
    ("an outage of which no alert tells", replace(HIT, hits=(Hit(0.2, 30.0),)), recorded, "alerts", "it had not fired when healing began"),
    ("a drain over its budget", HIT, lambda r: drained(r, 15.5), "drainable", "15.5 s after the first eviction; the drain budget is 15 s"),
    ("a drain that nobody saw done", HIT, lambda r: drained(r, None), "drainable", "No drain was seen to be done"),
    ("healed, not clean", HIT, lambda r: change_details(r, KIND.HEAL_END, lambda *_: {"clean": False, "remains": ["node zone-a-gpu is cordoned"]}), "heal", "The fault outlived the run"),
    ("healed, nobody looked", HIT, lambda r: change_details(r, KIND.HEAL_END, lambda *_: {}), "heal", "ended without saying so"),
    ("Prometheus down", HIT, lambda r: add_event(r, 4, KIND.INSTRUMENT_DOWN, "prometheus"), "instruments", "prometheus did not answer from 4 s after the fault on"),
    ("Prometheus down for a while", HIT, lambda r: add_event(add_event(r, 4, KIND.INSTRUMENT_DOWN, "prometheus"), 6, KIND.INSTRUMENT_UP, "prometheus"), "instruments", "did not answer for 2 s"),
    ("stopped by hand", HIT, lambda r: add_event(r, 9, KIND.STOPPED, "SIGINT", reason="Ctrl-C", phase="observe"), "stopped", "stopped in phase observe by SIGINT (Ctrl-C)"),
    ("ended by itself", HIT, lambda r: add_event(r, 9, KIND.STOPPED, "LoadFailed", reason="the load ended", phase="observe"), "stopped", "ended in phase observe because of LoadFailed: the load ended"),
    ("the suite was killed", HIT, lambda r: drop_events(r, KIND.HEAL_START, KIND.HEAL_END), "stopped", "the record ends before healing did"),
]  # fmt: skip
MUTATIONS = [*HISTORIES, *LOADS, *BEFORE, *AFTER]

TWINS = [
    HIT,
    NULL,
    SHAM,
    World(),
    replace(HIT, hits=()),
    replace(HIT, workers=3),
    replace(HIT, rate_rps=40.0),
    replace(HIT, ratio=0.9),
    replace(HIT, hits=(Hit(0.2, 3.0, kind="slow"),)),
    replace(HIT, hits=(Hit(0.2, 3.0, kind="hang"),)),
    replace(HIT, hits=(Hit(0.5, 4.0, share=0.3),)),
    replace(HIT, hits=(Hit(0.2, 2.0), Hit(20.0, 2.0))),
    replace(HIT, hits=(Hit(0.2, 2.0), Hit(6.0, 2.0)), second_fault_s=5.9),
    replace(HIT, arrivals="constant", seed=5),
    replace(HIT, clock_offset_s=0.01),
    replace(HIT, spikes=1e-3, seed=3),
    replace(HIT, streams=1.0),
]
