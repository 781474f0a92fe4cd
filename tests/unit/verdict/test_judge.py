"""How checks become one verdict."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.result import RunVerdict, Verdict
from history.schema import EventKind
from testing.histories.edits import add_event, asked, change_details, change_rows, drop_events, drop_rows, with_plan
from testing.histories.mutations import without_target_events
from testing.histories.truth import Hit
from tests.unit.verdict.conftest import HIT, NULL, check_of, run_of
from verdict import judge

OVER = replace(HIT, rto_budget_s=2.0)


def test_the_sentence_of_a_pass_is_what_users_felt() -> None:
    assert judge(run_of(HIT)).sentence == "Users were served again 3.18 s to 3.22 s after the fault (95 %); the budget is 60 s."


def test_the_sentence_of_a_control_says_that_nothing_happened() -> None:
    assert judge(run_of(NULL)).sentence.startswith("The control run shows no impact: no outage, 100 % of")


def test_a_fail_outranks_what_is_inconclusive() -> None:
    verdict = judge(add_event(run_of(OVER), 9, EventKind.INSTRUMENT_DOWN, "prometheus"))
    assert verdict.verdict is Verdict.FAIL
    assert check_of(verdict, "instruments").verdict is Verdict.INCONCLUSIVE
    assert verdict.sentence.startswith("Users were served again 3.18 s to 3.22 s after the fault (95 %); the budget is 2 s.")


def test_without_evidence_an_rto_over_budget_is_not_a_failure() -> None:
    verdict = judge(drop_events(run_of(OVER), EventKind.FAULT_CONFIRMED))
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert verdict.sentence.startswith("The fault was not proven to take effect: replica-gone never saw it.")
    assert check_of(verdict, "rto").sentence.startswith("Not judged, because of evidence; what the record shows: Users were served again")


def test_a_failure_stands_if_holes_could_not_have_caused_it() -> None:
    verdict = judge(drop_rows(run_of(OVER), asked(8, 8.2)))
    assert (verdict.verdict, check_of(verdict, "history").verdict) == (Verdict.FAIL, Verdict.INCONCLUSIVE)
    assert "This holds even if every late, unsent or unrecorded request had been good." in check_of(verdict, "rto").sentence


def test_a_failure_that_holes_may_have_caused_does_not_stand() -> None:
    inside = replace(HIT, rto_budget_s=4.0)
    verdict = judge(drop_rows(run_of(inside), asked(4.5, 5.5)))
    assert check_of(verdict, "rto").verdict is Verdict.INCONCLUSIVE
    assert check_of(verdict, "rto").measured == pytest.approx(5.5, abs=0.1)


def test_a_failure_by_late_answers_does_not_stand_if_the_generator_was_at_its_limit() -> None:
    late = replace(HIT, hits=(Hit(0.2, 5.0, kind="slow"),), rto_budget_s=2.0)
    assert judge(run_of(late)).verdict is Verdict.FAIL
    busy = change_details(run_of(late), EventKind.LOAD_AUDIT, lambda _, detail: detail | {"cpu_share_max": 0.99})
    assert check_of(judge(busy), "rto").verdict is Verdict.INCONCLUSIVE


def test_a_contradicting_record_supports_no_failure() -> None:
    run = run_of(OVER)
    verdict = judge(replace(run, requests=pl.concat([run.requests, run.requests[:1]])))
    assert check_of(verdict, "rto").verdict is Verdict.INCONCLUSIVE


def test_lost_answers_are_a_failure_however_bad_the_load() -> None:
    run = change_rows(drop_events(run_of(HIT), EventKind.LOAD_AUDIT), pl.col("request_id") == 2500, valid=False)
    assert check_of(judge(run), "rpo_requests").verdict is Verdict.FAIL


def test_a_bad_request_or_two_of_few_are_no_failure_of_a_budget_that_many_are_needed_for() -> None:
    few, more = (run_of(replace(HIT, hits=(Hit(0.2, lasts_s),))) for lasts_s in (0.02, 0.2))
    one, many = (
        check_of(judge(with_plan(run, budgets={"availability": 0.999, "availability_over_s": 13.0})), "availability") for run in (few, more)
    )
    assert one.measured is not None
    assert one.measured < 0.999
    assert one.verdict is Verdict.INCONCLUSIVE
    assert "needs 2,995 requests to say" in one.sentence
    assert many.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(0.1, Verdict.PASS), (0.6, Verdict.INCONCLUSIVE), (0.8, Verdict.FAIL)],
    ids=["met anyway", "open", "missed anyway"],
)
def test_a_window_that_was_not_watched_to_its_end_decides_only_what_its_rest_could_not_change(share: float, verdict: Verdict) -> None:
    run = run_of(replace(HIT, watched_s=5.0))  # 3 of 5 s were bad, of a window of 10 s
    found = check_of(judge(with_plan(run, budgets={"availability": share, "availability_over_s": 10.0})), "availability")
    assert found.verdict is verdict
    assert ("only 5 s of that were watched" in found.sentence) is (verdict is Verdict.INCONCLUSIVE)


def test_the_window_of_availability_is_the_same_however_long_was_watched() -> None:
    runs = [run_of(replace(HIT, tail_s=tail_s)) for tail_s in (3.0, 30.0)]
    short, long = (
        check_of(judge(with_plan(run, budgets={"availability": 0.5, "availability_over_s": 8.0})), "availability") for run in runs
    )
    assert (short.measured, long.measured) == (pytest.approx(1 - 3 / 8, abs=0.03), pytest.approx(1 - 3 / 8, abs=0.03))
    assert "in the 8 s from the fault on" in short.sentence


def test_what_has_no_budget_is_not_checked_but_measured() -> None:
    bare = {"rto_s": None, "rpo_requests": None, "availability": None, "p95_ratio": None, "capacity_rto_s": None}
    verdict = judge(with_plan(run_of(HIT), budgets=bare))
    names = {check.name for check in verdict.checks}
    assert names == {"history", "load", "baseline", "fault", "evidence", "hypothesis", "heal", "instruments", "stopped", "interrupted"}
    rto = verdict.measurement("rto")
    assert rto is not None
    assert rto.value == pytest.approx(3.2, abs=0.05)


def test_the_cause_of_an_inconclusive_run_comes_before_its_consequences() -> None:
    verdict = judge(add_event(drop_events(run_of(HIT), EventKind.FAULT_CONFIRMED), 9, EventKind.STOPPED, "SIGINT", phase="confirm"))
    assert verdict.sentence.startswith("The run is incomplete: it was stopped in phase confirm by SIGINT.")
    assert "(INCONCLUSIVE too: Fault confirmed, RTO, p95 latency after recovery, Full capacity and 2 more.)" in verdict.sentence


def test_an_interrupted_run_is_incomplete() -> None:
    verdict = judge(add_event(run_of(HIT), 9, EventKind.STOPPED, "SIGTERM", phase="observe"))
    assert (verdict.verdict, verdict.complete) == (Verdict.INCONCLUSIVE, False)


def test_a_run_that_was_never_injected_says_why() -> None:
    run = change_rows(run_of(HIT), asked(-12, -10), outcome="fail", status=503)
    run = drop_events(run, EventKind.FAULT_START, EventKind.FAULT_CONFIRMED, EventKind.FAULT_END)
    verdict = judge(run)
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert "1 outage began before the fault" in check_of(verdict, "baseline").sentence
    assert check_of(verdict, "rto").sentence == "Nothing was injected, so there is no recovery to measure."


def test_the_verdict_tells_what_reports_show() -> None:
    verdict = judge(run_of(HIT))
    assert verdict.load is not None
    assert verdict.fault is not None
    assert (verdict.load.holes, verdict.load.cap_hits) == (0, 0)
    assert verdict.load.send_lag_p99_ms == pytest.approx(0.3)
    assert verdict.load.scheduled == verdict.load.recorded == run_of(HIT).schedule.height
    assert (verdict.fault.evidence, verdict.fault.targets) == (("replica-gone",), ("Pod/inference-4k2xp",))
    assert len(verdict.outages) == 1
    assert verdict.errors == {"HTTP 503: no server is available": verdict.outages[0].bad}
    assert RunVerdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_an_outage_without_an_end_has_none_in_the_report() -> None:
    verdict = judge(run_of(replace(HIT, hits=(Hit(0.2, 100.0),), watched_s=70.0)))
    assert [outage.end_ns for outage in verdict.outages] == [None]
    assert check_of(verdict, "rto").censored


@pytest.mark.parametrize(("seen_gone_s", "verdict"), [(4.0, Verdict.INCONCLUSIVE), (9.9, Verdict.INCONCLUSIVE), (10.2, Verdict.PASS)])
def test_a_look_that_was_answered_after_the_end_of_the_fault_is_no_sign_that_it_ended_early(seen_gone_s: float, verdict: Verdict) -> None:
    lasts = without_target_events(with_plan(run_of(HIT), timers={"fault_s": 10.0}))
    run = add_event(lasts, seen_gone_s, EventKind.FAULT_EVIDENCE, "replica-gone", held=False, observed="False")
    assert check_of(judge(run), "evidence").verdict is verdict


def away(from_s: float, to_s: float | None, name: str = "api-server", **plan: object) -> RunVerdict:
    """Return the verdict on a run that lost sight of an instrument from and until then, counted from its fault."""
    run = add_event(run_of(HIT), from_s, EventKind.INSTRUMENT_DOWN, name)
    run = run if to_s is None else add_event(run, to_s, EventKind.INSTRUMENT_UP, name)
    return judge(with_plan(run, **{"takes_away": ("api-server",), "timers": {"fault_s": 5.0}, **plan}))


def test_the_silence_of_an_instrument_that_the_fault_takes_away_is_the_fault_itself() -> None:
    check = check_of(away(0.2, 7.2), "instruments")
    assert check.verdict is Verdict.PASS
    assert check.sentence == (
        "Every instrument answered throughout, but api-server: the fault itself took it away for 7 s; of that time when "
        "readiness and capacity changed is not known."
    )


def test_what_only_the_api_server_would_have_said_is_not_known_when_the_fault_took_it_away() -> None:
    calm = with_plan(run_of(NULL), takes_away=("api-server",))
    assert {judge(calm).value(name) for name in ("full_capacity", "readiness_rto", "readiness_gap")} == {None}
    assert judge(run_of(NULL)).value("full_capacity") == 0.0


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (away(-1, 7), "api-server did not answer for 8 s from 1 s before the fault"),
        (away(1, None), "api-server did not answer from 1 s after the fault on"),
        (away(1, 36), "api-server did not answer for 35 s from 1 s after the fault"),
        (away(1, 7, "prometheus"), "prometheus did not answer for 6 s"),
        (away(1, 7, takes_away=()), "api-server did not answer for 6 s"),
    ],
    ids=["before-it", "never-back", "long-after-it", "another", "by-a-fault-that-does-not"],
)
def test_any_other_silence_leaves_open_what_it_would_have_shown(seen: RunVerdict, said: str) -> None:
    check = check_of(seen, "instruments")
    assert check.verdict is Verdict.INCONCLUSIVE
    assert said in check.sentence
