"""Training runs judged by constructed ledgers: what was lost, when training was beyond it, who wrote, and whether the state is right."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from history.ledgers import training_rows
from history.plan import Budgets, ExperimentInfo, Phase, Plan, ResolvedTarget, TargetInfo, Timers, Training
from history.reader import Run
from history.result import Check, RunVerdict, Verdict
from history.schema import EVENTS, REQUESTS, SAMPLES, SCHEDULE, TRAINING, EventKind
from verdict import definitions, judge
from verdict.goodput import goodput_of
from verdict.training import ledger_of

BASE_NS = 1_790_000_000_000_000_000
STEP_S, RANKS, INTERVAL, BATCH = 0.2, 3, 10, 6
JOB = Training(
    template="trainer", namespace="n", job="j", ranks=RANKS, pods=RANKS, steps=400, batch=BATCH, max_restarts=100,
    interval_steps=INTERVAL, ledger="ledger:1", reference="r",
)  # fmt: skip


def ns(t_s: float) -> int:
    return BASE_NS + round(t_s * 1e9)


@dataclass(frozen=True)
class Life:
    """One attempt: it begins at ``start_s``, resumes from ``resumed`` and does steps up to ``last``."""

    start_s: float
    resumed: int
    last: int
    depth: int = 0
    rejected: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ("a", "b", "c")
    skip: int = 0  # samples later in the order than it should be
    wrong_from: int = 10**9  # from this step on its state is another
    step_s: float = STEP_S
    saves: bool = True


@dataclass(frozen=True)
class Story:
    """A fault at 20 s; by default a rank is killed at step 100 and training resumes from step 90 four seconds later."""

    lives: tuple[Life, ...] = (Life(0.0, 0, 100), Life(24.0, 90, 250))
    fault_s: float = 20.05
    heal_s: float = 45.0
    budgets: Budgets = field(default_factory=lambda: Budgets(rto_s=30, rpo_steps=20, rpo_samples=120))
    kind: str = "fault"
    reference: bool = True
    without: frozenset[tuple[int, int]] = frozenset()  # (attempt, step) of rows of rank 1 that are missing


def row(kind: str, attempt: int, rank: int, step: int, t_s: float, **values: object) -> dict[str, Any]:
    fixed = {"kind": kind, "attempt": attempt, "rank": rank, "step": step, "t_ns": ns(t_s), "run": "j", "host": "h", "pid": attempt}
    return fixed | values


def life_rows(attempt: int, life: Life) -> list[dict[str, Any]]:
    detail = {"world": RANKS, "depth": life.depth, "rejected": life.rejected, "restore_s": 0.5, "restart": attempt - 1}
    found = [row("start", attempt, 0, life.resumed, life.start_s, checkpoint=f"step-{life.resumed}" if life.resumed else None, **detail)]
    for step in range(life.resumed + 1, life.last + 1):
        t_s = life.start_s + (step - life.resumed) * life.step_s
        for rank in range(RANKS):
            at = (step - 1) * BATCH + life.skip
            ids = list(range(at, at + BATCH))[rank::RANKS]
            found.append(row("step", attempt, rank, step, t_s, samples=ids, outcome="applied", host=life.hosts[rank], loss_digest="d"))
        if step % INTERVAL == 0:
            digest = f"{step}" if step < life.wrong_from else f"other {step}"
            found.append(row("state", attempt, 0, step, t_s, digest=digest))
            if life.saves:
                stores = [{"url": "s3", "problem": "", "verified": [step, ns(t_s)]}]
                found.append(row("checkpoint", attempt, 0, step, t_s + 0.3, digest=digest, stores=stores))
    return found


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    text = b"".join(json.dumps(one).encode() + b"\n" for one in rows)
    return pl.DataFrame(list(training_rows(text)), schema=TRAINING)


def rows_of(story: Story) -> list[dict[str, Any]]:
    found = [one for number, life in enumerate(story.lives, 1) for one in life_rows(number, life)]
    return [one for one in found if not (one["kind"] == "step" and one["rank"] == 1 and (one["attempt"], one["step"]) in story.without)]


def events_of(story: Story) -> list[dict[str, Any]]:
    phases = {Phase.BASELINE: 2.0, Phase.INJECT: story.fault_s, Phase.OBSERVE: story.fault_s + 1, Phase.HEAL: story.heal_s}
    found: list[tuple[float, EventKind, str, dict[str, Any]]] = [(t_s, EventKind.PHASE, phase.value, {}) for phase, t_s in phases.items()]
    found.append((0.0, EventKind.CLOCK, "runner", {"wall_ns": 1, "monotonic_ns": 0}))
    if story.kind == "fault":
        found.append((story.fault_s, EventKind.FAULT_START, "kill", {"targets": ["trainer-1"]}))
        found.append((story.fault_s + 0.5, EventKind.FAULT_CONFIRMED, "killed", {"observed": "True"}))
    found += [
        (t_s, EventKind.HYPOTHESIS, "advances", {"met": True, "value": 5.0 + t_s / 100, "no_data": False})
        for t_s in (3.0, 8.0, 15.0, story.heal_s - 0.5)
    ]
    found += [(story.heal_s, EventKind.HEAL_START, "", {}), (story.heal_s + 2, EventKind.HEAL_END, "", {"clean": True, "remains": []})]
    return [{"t_ns": ns(t_s), "kind": kind.value, "object": obj, "detail": json.dumps(detail)} for t_s, kind, obj, detail in sorted(found)]


def plan_of(story: Story) -> Plan:
    info = ExperimentInfo(
        id="training/x", title="x", description="x", tags=(), hypothesis="h", fault=story.kind, digest=""  # type: ignore[arg-type]
    )  # fmt: skip
    return Plan(
        run_id="r",
        created_ns=BASE_NS,
        seed=1,
        profile="smoke",
        experiment=info,
        target=TargetInfo(name="t", context="c", server="s", namespaces=("n",)),
        workload="batch-training",
        budgets=story.budgets,
        training=JOB,
        timers=Timers(baseline_s=15, hold_s=10, confirm_s=30, deadline_s=60, heal_s=60),
        targets=(ResolvedTarget(kind="Pod", name="trainer-1"),) if story.kind == "fault" else (),
        evidence=("killed",) if story.kind == "fault" else (),
        hypothesis_probes=("advances",),
    )


def run_of(story: Story, rows: list[dict[str, Any]] | None = None) -> Run:
    tables = {name: pl.DataFrame(schema=schema) for name, schema in (("requests", REQUESTS), ("samples", SAMPLES), ("schedule", SCHEDULE))}
    training = {"training": frame(rows_of(story) if rows is None else rows)}
    if story.reference:
        training["reference"] = frame(life_rows(1, Life(0.0, 0, 400)))
    events = pl.DataFrame(events_of(story), schema=EVENTS)
    return Run(path=Path(), plan=plan_of(story), events=events, closed=True, training=training, **tables)


def judged(story: Story | None = None) -> RunVerdict:
    return judge(run_of(story or Story()))


def check(verdict: RunVerdict, name: str) -> Check:
    return next(one for one in verdict.checks if one.name == name)


def value(verdict: RunVerdict, name: str) -> float:
    found = verdict.measurement(name)
    assert found is not None, name
    assert found.value is not None, found
    return found.value


def test_a_killed_rank_is_measured_to_the_step() -> None:
    verdict = judged()
    assert verdict.verdict is Verdict.PASS, [one for one in verdict.checks if one.verdict is not Verdict.PASS]
    # step 100 is done at 20.0 s; the second life begins at 24 s from step 90: step 91 at 24.2 s, step 101 at 26.2 s
    assert value(verdict, "rto_train_first") == pytest.approx(24.2 - 20.05)
    assert value(verdict, "rto_train") == value(verdict, "rto") == pytest.approx(26.2 - 20.05)
    assert value(verdict, "lost_steps") == 10
    assert value(verdict, "rpo_samples") == 60
    assert value(verdict, "rpo_seconds") == pytest.approx(10 * STEP_S)
    assert (value(verdict, "samples_skipped"), value(verdict, "samples_repeated"), value(verdict, "states_differing")) == (0, 0, 0)
    assert (value(verdict, "restarts"), value(verdict, "restarts_left"), value(verdict, "two_writers")) == (1, 99, 0)
    assert value(verdict, "checkpoint_validity") == value(verdict, "save_success") == 1
    assert verdict.load is None
    assert "10 steps lost" in verdict.sentence


def test_goodput_and_badput_sum_up_to_the_wall_time() -> None:
    story = Story()
    spent = goodput_of(ledger_of(JOB, frame(rows_of(story))), ns(story.heal_s))
    assert spent is not None
    parts = spent.productive_s + spent.recovery_s + spent.restore_s + spent.replay_s + spent.stall_s
    assert parts == pytest.approx(spent.wall_s) == pytest.approx(45.0 - STEP_S)
    assert spent.restore_s == pytest.approx(0.5)
    assert spent.replay_s == pytest.approx(10 * STEP_S)
    assert spent.recovery_s == pytest.approx(26.0 - 20.0 - 0.5 - 2.0)
    assert spent.stall_s == 0
    assert value(judged(), "ettr") == pytest.approx(spent.productive_s / spent.wall_s)


PHASES = ("phase_went_on", "phase_replace", "phase_gang", "phase_restore", "phase_first_step", "phase_replay")


def test_phases_sum_up_to_the_time_to_be_beyond() -> None:
    verdict = judged()
    found = {name: value(verdict, name) for name in PHASES if name != "phase_replace"}
    # restored by 24 s after 0.5 s; step 91 is done at 24.2 s, step 101 at 26.2 s
    assert found == pytest.approx(dict(zip(found, (0.0, 23.5 - 20.05, 0.5, 0.2, 2.0), strict=True)))
    assert sum(found.values()) == pytest.approx(value(verdict, "rto_train"))
    assert value(verdict, "verified_state") == pytest.approx(24.0 - 20.05)


def with_events(story: Story, *events: tuple[float, EventKind, str]) -> Run:
    run = run_of(story)
    more = [{"t_ns": ns(t_s), "kind": kind.value, "object": name, "detail": "{}"} for t_s, kind, name in events]
    return replace(run, events=pl.concat([run.events, pl.DataFrame(more, schema=EVENTS)]).sort("t_ns"))


def test_a_new_pod_of_a_rank_is_a_phase_of_its_own() -> None:
    verdict = judge(with_events(Story(), (22.0, EventKind.POD_CREATED, "b-x"), (23.0, EventKind.POD_CREATED, "z-x")))
    assert value(verdict, "phase_replace") == pytest.approx(22.0 - 20.05)  # z holds no rank
    assert value(verdict, "phase_gang") == pytest.approx(1.5)


def test_a_lost_pod_that_stays_listed_beside_its_successor_is_told_and_is_no_second_writer() -> None:
    began = ((1.0, EventKind.POD_READY, "j-1-old"), (1.0, EventKind.POD_READY, "j-2-only"), (1.0, EventKind.POD_READY, "other-1-x"))
    new = ((22.0, EventKind.POD_CREATED, "j-1-new"), (23.0, EventKind.POD_STARTED, "j-1-new"))
    verdict = judge(with_events(Story(), *began, *new, (40.0, EventKind.POD_GONE, "j-1-old")))
    assert value(verdict, "pods_doubled") == pytest.approx(40.0 - 23.0)
    found = check(verdict, "writers")
    assert (found.verdict, "although j-1-old stayed listed for 17" in found.sentence) == (Verdict.PASS, True)
    assert value(judge(with_events(Story(), *began, *new, (21.5, EventKind.POD_GONE, "j-1-old"))), "pods_doubled") == 0


def test_a_job_that_was_never_out_has_no_phases_and_lost_no_state() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 250),)))
    assert all(verdict.measurement(name).value is None for name in PHASES)  # type: ignore[union-attr]  # of every run
    assert value(verdict, "verified_state") == 0
    found = judged(NEVER).measurement("verified_state")
    assert found is not None
    assert found.value is None  # it never came back, so nobody knows on what


def test_a_job_that_did_its_last_step_is_not_out_however_long_it_is_watched() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 400, step_s=0.05)), heal_s=70.0))  # all is done at 39.5 s
    assert value(verdict, "rto_train") == pytest.approx(24.55 - 20.05)
    assert check(verdict, "rto").verdict is Verdict.PASS


def test_which_store_it_went_on_from_and_which_did_not_answer_is_told() -> None:
    notes = ("s3://x at c: no answer", "s3://x at b: step-00000100.a0001: shard 1 reads differently")
    found = judged(Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, rejected=notes)))).measurement("stores_silent")
    assert found is not None
    assert (found.value, "step-90 from" in found.sentence) == (1, True)
    assert judged(NEVER).measurement("stores_silent").value is None  # type: ignore[union-attr]  # of every run


def test_ranks_that_differ_are_found_after_so_many_steps() -> None:
    sentence = "step 110: rank 2 deviates"
    rows = [*rows_of(Story()), row("divergence", 2, 0, 110, 28.01, sentence=sentence)]
    found = judge(run_of(Story(), rows)).measurement("divergence_found")
    assert found is not None
    assert (found.value, found.sentence) == (10, sentence)


def test_without_a_new_attempt_a_long_pause_is_a_stall_and_a_short_one_is_none() -> None:
    stalled = (Life(0.0, 0, 100), Life(26.0, 100, 250))
    rows = [one | {"attempt": 1} for one in rows_of(Story(lives=stalled)) if not (one["kind"] == "start" and one["attempt"] == 2)]
    verdict = judge(run_of(Story(lives=stalled), rows))
    assert value(verdict, "rto_train") == pytest.approx(26.2 - 20.05)
    assert (value(verdict, "lost_steps"), value(verdict, "restarts")) == (0, 0)
    assert value(verdict, "badput_stall") == pytest.approx(6.2)
    assert value(judged(Story(lives=(Life(0.0, 0, 250),))), "rto_train") == 0


LOST = Story(lives=(Life(0.0, 0, 100), Life(24.0, 60, 250)))
SLOW = Story(lives=(Life(0.0, 0, 100), Life(60.0, 90, 250)), heal_s=85.0)
NEVER = Story(lives=(Life(0.0, 0, 100),), heal_s=60.0)
OTHER_DATA = Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, skip=6)))
OTHER_STATE = Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, wrong_from=110)))
TWO = Story(lives=(Life(0.0, 0, 140), Life(24.0, 90, 250)))
UNSAVED = Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, saves=False)))


@pytest.mark.parametrize(
    ("story", "name", "says"),
    [
        (LOST, "rpo_steps", "40 steps that had been done were lost; the budget is 20"),
        (LOST, "rpo_samples", "240 samples"),
        (SLOW, "rto", "after the fault"),
        (NEVER, "rto", "not seen to go on"),
        (OTHER_DATA, "samples", "6 samples were skipped"),
        (OTHER_STATE, "state", "From step 110 on the state is not that of an undisturbed run"),
        (TWO, "writers", "attempt 1 did step 140"),
        (UNSAVED, "checkpoints", "No checkpoint was verified"),
    ],
)
def test_what_is_wrong_is_found_by_the_check_that_is_about_it(story: Story, name: str, says: str) -> None:
    found = check(judged(story), name)
    assert found.verdict is Verdict.FAIL, found
    assert says in found.sentence


def test_one_rank_in_two_processes_is_found() -> None:
    rows = [*rows_of(Story()), row("step", 2, 1, 120, 30.0, samples=[], outcome="applied", host="ghost")]
    found = check(judge(run_of(Story(), rows)), "writers")
    assert (found.verdict, "rank 1 of attempt 2 was 2 processes" in found.sentence) == (Verdict.FAIL, True)


def test_rows_that_were_sent_twice_count_once() -> None:
    rows = rows_of(Story())
    assert judge(run_of(Story(), rows + rows)).checks == judged().checks


@pytest.mark.parametrize("kept", [lambda _one: False, lambda one: one["kind"] != "step", lambda one: one["kind"] != "start"])
def test_an_empty_or_partial_ledger_is_never_a_pass(kept: Any) -> None:
    verdict = judge(run_of(Story(), [one for one in rows_of(Story()) if kept(one)]))
    assert verdict.verdict is not Verdict.PASS
    assert check(verdict, "ledger").verdict is Verdict.INCONCLUSIVE
    assert not [one for one in verdict.checks if one.name in {"rto", "rpo_steps"} and one.verdict is Verdict.PASS]


def test_a_run_without_any_ledger_is_inconclusive() -> None:
    verdict = judge(replace(run_of(Story()), training={}))
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert "ledger is empty" in check(verdict, "ledger").sentence


def test_a_step_that_one_rank_never_told_of_is_a_gap() -> None:
    verdict = judged(Story(without=frozenset({(2, 150)})))
    assert "the first is 150" in check(verdict, "ledger").sentence
    assert verdict.verdict is Verdict.INCONCLUSIVE


def test_without_a_reference_state_and_samples_are_not_known() -> None:
    verdict = judged(Story(reference=False))
    assert {one.name for one in verdict.checks if one.verdict is Verdict.INCONCLUSIVE} == {"state", "samples"}


def test_where_a_batch_was_set_aside_the_comparison_of_states_ends() -> None:
    rows = [
        one | {"outcome": "quarantined"} if (one["kind"], one["step"]) == ("step", 105) else one
        for one in rows_of(Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, wrong_from=106))))
    ]
    verdict = judge(run_of(Story(), rows))
    found = check(verdict, "state")
    assert value(verdict, "batches_set_aside") == 1
    assert (found.verdict, "at step 105 a batch was set aside" in found.sentence) == (Verdict.PASS, True)


def test_a_batch_that_was_set_aside_and_then_done_as_usual_excuses_nothing() -> None:
    wrong = Story(lives=(Life(0.0, 0, 100, wrong_from=95), Life(24.0, 90, 250, wrong_from=120)))
    rows = [
        one | {"outcome": "quarantined"} if (one["attempt"], one["step"], one["kind"]) == (1, 95, "step") else one for one in rows_of(wrong)
    ]
    found = check(judge(run_of(wrong, rows)), "state")  # attempt 2 did step 95 again; that it differs from step 120 on has no reason
    assert (found.verdict, "From step 120 on" in found.sentence) == (Verdict.FAIL, True)


def test_a_baseline_with_a_break_supports_nothing() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 30), Life(10.0, 30, 78), Life(24.0, 70, 250))))
    assert "break" in check(verdict, "baseline").sentence
    assert check(verdict, "rto").verdict is Verdict.INCONCLUSIVE


def test_a_recovery_that_does_not_hold_is_no_recovery() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 120)), heal_s=60.0))
    found = verdict.measurement("rto_train")
    assert found is not None
    assert found.censored
    assert check(verdict, "rto").verdict is Verdict.FAIL


def test_a_run_that_was_stopped_before_its_deadline_says_nothing_of_what_would_have_held_again() -> None:
    story = Story(lives=(Life(0.0, 0, 100),), heal_s=60.0)

    def ended(*events: tuple[float, EventKind, str]) -> Check:
        run = with_events(story, *events)
        unmet = json.dumps({"met": False, "value": 0.0, "no_data": False})
        last = {"t_ns": ns(story.heal_s - 0.2), "kind": EventKind.HYPOTHESIS.value, "object": "advances", "detail": unmet}
        return check(judge(replace(run, events=pl.concat([run.events, pl.DataFrame([last], schema=EVENTS)]).sort("t_ns"))), "hypothesis")

    assert ended().verdict is Verdict.FAIL
    found = ended((story.heal_s - 0.1, EventKind.STOPPED, "SIGTERM"))
    assert (found.verdict, "had not held again when the run was stopped" in found.sentence) == (Verdict.INCONCLUSIVE, True)


def test_a_second_restart_moves_recovery_to_its_end() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 95), Life(30.0, 90, 250)), heal_s=50.0))
    assert value(verdict, "rto_train") == pytest.approx(32.2 - 20.05)
    assert (value(verdict, "lost_steps"), value(verdict, "restarts")) == (10, 2)


def test_the_rpo_gauge_is_the_largest_age_of_a_verified_checkpoint() -> None:
    # step 100 is done at 20.0 s and verified at 20.3 s, after the fault; step 110, done at 28.0 s, is verified at 28.3 s
    assert value(judged(), "verified_age") == pytest.approx(28.3 - 20.0)


def test_a_control_run_shows_no_impact_and_one_that_stalls_does() -> None:
    calm = Story(lives=(Life(0.0, 0, 250),), kind="none", budgets=Budgets(rpo_steps=0))
    assert check(judged(calm), "impact").verdict is Verdict.PASS
    assert check(judged(replace(calm, lives=Story().lives)), "impact").verdict is Verdict.FAIL


def test_every_measurement_and_check_of_training_is_defined() -> None:
    names = {name for name, _ in definitions()}
    verdict = judged()
    assert {one.name for one in verdict.measurements} <= names
    assert {f"check {one.name}" for one in verdict.checks} <= names
    assert "availability" not in {one.name for one in verdict.measurements}
