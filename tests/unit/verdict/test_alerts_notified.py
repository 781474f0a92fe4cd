"""Whether somebody was told, where the suite awaits Alertmanager's notification: in time, late, not at all, and whose part that is."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.alert_plan import AlertPlan
from history.reader import Run
from history.result import AlertOutcome, Verdict
from history.schema import NOTIFICATIONS, Notice
from testing.histories.edits import at
from testing.histories.truth import Hit
from tests.unit.verdict.conftest import NULL, check_of, measured, run_of
from tests.unit.verdict.test_alerts import OUT, RULE, outcome, recorded
from verdict import judge

AWAITED = RULE.model_copy(update={"group_wait_s": 4.0})
MADE = "20 s (scrape 1 s + evaluation 5 s + for 10 s + group_wait 4 s = 20 s)"
FIRES = (12.0, 40.0)  # answers come half a second later
LISTENS = (-30.0, Notice.LISTENING, "")
Row = tuple[float, Notice, str]


def heard(run: Run, *rows: Row, fires_for_s: float = 4.0) -> Run:
    """Return ``run`` with what the suite's receiver heard: when (s after the fault), what, of which rule or in which words.

    ``fires_for_s``: for how long what is told of has fired by then.
    """
    about = {Notice.UNREAD, Notice.DEAF, Notice.LISTENING}
    found = [
        {
            "t_ns": at(t_s), "kind": kind.value, "rule": "" if kind in about else text,
            "starts_ns": None if kind in about else at(t_s - fires_for_s),
            "detail": f'{{"text": "{text}"}}' if kind in about else "{}", "region": "default",
        }
        for t_s, kind, text in rows
    ]  # fmt: skip
    return replace(run, notifications=pl.DataFrame(found, schema=NOTIFICATIONS))


def told(t_s: float, rule: str = RULE.rule) -> Row:
    return t_s, Notice.FIRING, rule


def fired(*rows: Row, rule: AlertPlan = AWAITED, firing: tuple[float, float] = FIRES, harm_s: float = 30.0) -> Run:
    """Return a run in which users were harmed and the rule fired, and what the receiver heard."""
    return heard(recorded(run_of(replace(OUT, hits=(Hit(0.2, harm_s),))), firing, rule=rule), *rows)


def test_a_notification_of_an_alert_that_fired_long_before_is_not_that_of_the_fault() -> None:
    run = heard(fired(), LISTENS, told(17), fires_for_s=60.0)
    (found,) = judge(run).alerts
    assert (found.outcome, found.notified_s) == (AlertOutcome.UNTOLD, None)


def test_a_notification_in_time_is_right_and_ttd_ends_with_it() -> None:
    run = fired(LISTENS, told(17), told(25))
    verdict = judge(run)
    (found,) = verdict.alerts
    assert (found.outcome, found.allowed_s, found.awaited) == (AlertOutcome.RIGHT, 20, True)
    assert (found.firing_s, found.notified_s) == (pytest.approx(12.5), pytest.approx(17))
    assert "right: it fired 12.5 s after the fault, and its notification came 17 s after the fault; users were harmed" in found.sentence
    assert found.sentence.endswith(f"and it may take {MADE}.")
    ttd = measured(run, "ttd")
    assert (ttd.value, ttd.sentence) == (pytest.approx(17), "InferenceUnavailable: its notification; it fired after 12.5 s")


def test_what_fires_in_time_and_is_told_late_is_late_by_alertmanagers_part() -> None:
    verdict = judge(fired(LISTENS, told(28)))
    assert (outcome(verdict), check_of(verdict, "alerts").verdict) == (AlertOutcome.LATE, Verdict.FAIL)
    assert f"later than the {MADE} after users' harm began. That is Alertmanager's part." in verdict.alerts[0].sentence
    assert "waits for its group_interval" in verdict.alerts[0].sentence


def test_what_fires_late_is_late_by_its_own_part() -> None:
    verdict = judge(fired(LISTENS, told(28), firing=(24, 40)))
    assert outcome(verdict) is AlertOutcome.LATE
    assert verdict.alerts[0].sentence.endswith("The rule fired too late for more.")


def test_nobody_was_told_of_what_fired_in_time() -> None:
    run = fired(LISTENS, told(17, "Other"), (18, Notice.RESOLVED, RULE.rule))
    verdict = judge(run)
    check = check_of(verdict, "alerts")
    assert (outcome(verdict), check.verdict, check.measured) == (AlertOutcome.UNTOLD, Verdict.FAIL, 1)
    assert "fired but nobody was told: it fired 12.5 s after the fault, and users were harmed" in check.sentence
    assert "That is Alertmanager's part. See its routes, silences and inhibitions" in check.sentence
    ttd = measured(run, "ttd")
    assert (ttd.value, ttd.sentence) == (None, "InferenceUnavailable fired after 12.5 s, and nobody was told")


def test_what_fired_too_late_or_too_briefly_to_be_told_is_the_rules_own_part() -> None:
    late = judge(fired(LISTENS, firing=(22, 40)))
    assert outcome(late) is AlertOutcome.MISSING
    assert late.alerts[0].sentence.endswith("nobody had been told when healing began: it fired 22.5 s after the fault only.")
    brief = judge(fired(LISTENS, firing=(12, 15)))
    assert outcome(brief) is AlertOutcome.MISSING
    assert brief.alerts[0].sentence.endswith(
        "it fired 12.5 s after the fault for 3 s, and Alertmanager tells only of what fires for longer than its group_wait, 4 s."
    )


def test_a_fault_over_before_somebody_had_to_be_told_is_too_short() -> None:
    verdict = judge(fired(LISTENS, harm_s=19.0))
    assert outcome(verdict) is AlertOutcome.TOO_SHORT
    assert MADE in verdict.alerts[0].sentence
    assert "alerts" not in [check.name for check in verdict.checks]
    assert (
        outcome(judge(recorded(run_of(replace(OUT, hits=(Hit(0.2, 19.0),)))))) is AlertOutcome.MISSING
    )  # without group_wait it had to fire
    assert outcome(judge(fired(LISTENS, told(17), harm_s=19.0))) is AlertOutcome.RIGHT


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((), "the suite's receiver did not listen: it is not known whether anybody was told"),
        (((-30.0, Notice.DEAF, "port taken"),), "the suite's receiver did not listen: port taken"),
        ((LISTENS, (14.0, Notice.UNREAD, "garbage")), "the suite's receiver could not read all that came (garbage)"),
    ],
)
def test_a_receiver_that_did_not_hear_all_accuses_nobody(rows: tuple[Row, ...], said: str) -> None:
    verdict = judge(fired(*rows))
    assert (outcome(verdict), check_of(verdict, "alerts").verdict) == (AlertOutcome.UNKNOWN, Verdict.INCONCLUSIVE)
    assert said in verdict.alerts[0].sentence
    if rows:
        late = judge(fired(*rows, told(28)))
        assert outcome(late) is AlertOutcome.UNKNOWN
        assert outcome(judge(fired(*rows, told(17)))) is AlertOutcome.RIGHT


def test_garbage_before_the_rule_fired_does_not_matter() -> None:
    assert outcome(judge(fired(LISTENS, (3, Notice.UNREAD, "garbage")))) is AlertOutcome.UNTOLD


def test_what_came_before_it_fired_is_of_something_else_or_not_known() -> None:
    assert outcome(judge(fired(LISTENS, told(5)))) is AlertOutcome.UNKNOWN  # another Prometheus of a pair may have seen it first
    assert outcome(judge(fired(LISTENS, told(-3)))) is AlertOutcome.UNTOLD


def test_what_alertmanager_tells_and_prometheus_never_said_is_not_known() -> None:
    verdict = judge(heard(recorded(run_of(OUT), rule=AWAITED), LISTENS, told(17)))
    assert outcome(verdict) is AlertOutcome.UNKNOWN
    assert "Prometheus was never heard to say that it fires: it may be another's" in verdict.alerts[0].sentence
    assert outcome(judge(heard(recorded(run_of(NULL), rule=AWAITED), LISTENS, told(3)))) is AlertOutcome.UNKNOWN


def test_what_does_not_fire_is_judged_as_ever() -> None:
    assert outcome(judge(heard(recorded(run_of(OUT), rule=AWAITED), LISTENS))) is AlertOutcome.MISSING
    assert outcome(judge(heard(recorded(run_of(NULL), rule=AWAITED), LISTENS))) is AlertOutcome.SILENT
    false = judge(heard(recorded(run_of(NULL), (3, 6), rule=AWAITED), LISTENS, told(5)))
    assert (outcome(false), false.alerts[0].notified_s) == (AlertOutcome.FALSE, pytest.approx(5))


def test_where_no_receiver_is_named_notifications_change_nothing() -> None:
    verdict = judge(fired(LISTENS, told(17), rule=RULE))
    assert (outcome(verdict), verdict.value("ttd")) == (AlertOutcome.RIGHT, pytest.approx(12.5))


AGAIN = AWAITED.model_copy(update={"group_interval_s": 60.0})


def test_what_fires_again_within_group_interval_is_not_called_late_nor_untold() -> None:
    """It fired in the baseline, for something else; Alertmanager tells of the second time when the interval of the first is over."""
    for rows in ((LISTENS, told(28)), (LISTENS,)):
        run = heard(recorded(run_of(OUT), (-10, -5), FIRES, rule=AGAIN), *rows)
        verdict = judge(run)
        assert (outcome(verdict), check_of(verdict, "alerts").verdict) == (AlertOutcome.UNKNOWN, Verdict.INCONCLUSIVE)
        assert (
            "it had fired until 17 s before, and what fires again within 66 s may wait for group_interval, 60 s"
            in verdict.alerts[0].sentence
        )
    assert (
        "; it waited 15.5 s; leave 66 s between runs"
        in judge(heard(recorded(run_of(OUT), (-10, -5), FIRES, rule=AGAIN), LISTENS, told(28))).alerts[0].sentence
    )


def test_what_fired_in_an_earlier_run_counts_as_prometheus_said_it_before_the_plan() -> None:
    before = AGAIN.model_copy(update={"fired_ns": at(-40)})
    assert outcome(judge(fired(LISTENS, told(28), rule=before))) is AlertOutcome.UNKNOWN
    barely = AGAIN.model_copy(update={"fired_ns": at(-53)})  # 65.5 s before: an evaluation of 5 s and what can't be told come on top
    assert outcome(judge(fired(LISTENS, told(28), rule=barely))) is AlertOutcome.UNKNOWN
    long_ago = AGAIN.model_copy(update={"fired_ns": at(-60)})
    assert outcome(judge(fired(LISTENS, told(28), rule=long_ago))) is AlertOutcome.LATE


def test_group_interval_excuses_no_alert_that_is_new_nor_one_that_waited_longer() -> None:
    late = judge(fired(LISTENS, told(28), rule=AGAIN))
    assert outcome(late) is AlertOutcome.LATE
    assert late.alerts[0].sentence.endswith("An alert that joins a group that was told already waits for its group_interval, 60 s.")
    again = AGAIN.model_copy(update={"fired_ns": at(-20)})
    assert outcome(judge(fired(LISTENS, told(28), rule=again, firing=(24, 40)))) is AlertOutcome.LATE  # the rule's own part
    assert outcome(judge(fired(LISTENS, rule=again, firing=(22, 40)))) is AlertOutcome.MISSING
    short = AWAITED.model_copy(update={"group_interval_s": 5.0, "fired_ns": at(10)})
    assert outcome(judge(fired(LISTENS, told(28), rule=short))) is AlertOutcome.LATE
    assert outcome(judge(fired(LISTENS, rule=short))) is AlertOutcome.UNTOLD
    assert outcome(judge(fired(LISTENS, told(17), rule=AGAIN.model_copy(update={"fired_ns": at(-40)})))) is AlertOutcome.RIGHT
