"""Whether alerting rules told: right, late, missing, false, silent, not known, or a fault too short for them."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.result import AlertOutcome, RunVerdict, Verdict
from history.schema import EventKind
from testing.histories.alerts import RULE, Stretch, recorded
from testing.histories.edits import add_event, change_details, drop_events, with_plan
from testing.histories.truth import Hit
from tests.unit.verdict.conftest import HIT, NULL, SHAM, check_of, run_of
from verdict import judge

OUT = replace(HIT, hits=(Hit(0.2, 30.0),))
UNHARMED = replace(HIT, hits=())
MADE = "16 s (scrape 1 s + evaluation 5 s + for 10 s = 16 s)"


def outcome(verdict: RunVerdict) -> AlertOutcome:
    (found,) = verdict.alerts
    return found.outcome


def test_a_rule_that_fires_in_time_is_right_and_the_sentence_has_the_arithmetic() -> None:
    verdict = judge(recorded(run_of(OUT), (12, 40)))
    (found,) = verdict.alerts
    assert (found.outcome, found.allowed_s) == (AlertOutcome.RIGHT, 16)
    assert found.firing_s == pytest.approx(12.5)
    assert found.harm_s == pytest.approx(30, abs=0.2)
    check = check_of(verdict, "alerts")
    assert (check.verdict, check.measured, check.budget) == (Verdict.PASS, 0, 0)
    assert check.sentence.startswith("Alert InferenceUnavailable, right: it fired 12.5 s after the fault; users were harmed for 30")
    assert check.sentence.endswith(f"and it may take {MADE}.")
    assert verdict.value("ttd") == pytest.approx(12.5)


def test_a_rule_that_fires_later_than_its_timers_allow_is_late() -> None:
    verdict = judge(recorded(run_of(OUT), (25, 40)))
    assert outcome(verdict) is AlertOutcome.LATE
    check = check_of(verdict, "alerts")
    assert check.verdict is Verdict.FAIL
    assert f"s later than the {MADE} after users' harm began" in check.sentence
    assert verdict.verdict is Verdict.FAIL
    patient = RULE.model_copy(update={"within_s": 28.0})
    assert outcome(judge(recorded(run_of(OUT), (25, 40), rule=patient))) is AlertOutcome.RIGHT
    looks_back = RULE.model_copy(update={"range_s": 60.0})
    assert outcome(judge(recorded(run_of(OUT), (25, 40), rule=looks_back))) is AlertOutcome.RIGHT


def test_what_it_takes_is_said_with_whole_evaluations_and_the_time_out_of_a_scrape() -> None:
    rule = RULE.model_copy(update={"for_s": 12.0, "scrape_timeout_s": 1.0})
    found = judge(recorded(run_of(OUT), (12, 40), rule=rule)).alerts[0]
    made = "scrape 1 s + scrape time-out 1 s + evaluation 5 s + for 12 s, in whole evaluations 15 s = 22 s"
    assert (found.allowed_s, made in found.sentence) == (22, True)


def test_a_rule_that_does_not_fire_is_missing_if_users_were_harmed_for_long_enough() -> None:
    verdict = judge(recorded(run_of(OUT)))
    check = check_of(verdict, "alerts")
    assert (outcome(verdict), check.verdict, check.measured) == (AlertOutcome.MISSING, Verdict.FAIL, 1)
    assert f"longer than the {MADE}, and it had not fired when healing began." in check.sentence
    measured = verdict.measurement("ttd")
    assert measured is not None
    assert (measured.value, measured.sentence) == (None, "no rule told of it")


def test_what_fires_only_once_healing_has_begun_is_missing() -> None:
    run = run_of(OUT)
    assert outcome(judge(recorded(run, (OUT.heal_s + 0.4, OUT.heal_s + 9)))) is AlertOutcome.MISSING


def test_a_rule_whose_evaluation_fails_is_missing_and_says_so() -> None:
    check = check_of(judge(recorded(run_of(OUT), state="failed")), "alerts")
    assert check.verdict is Verdict.FAIL
    assert check.sentence.endswith("Its evaluation failed meanwhile.")


@pytest.mark.parametrize("lasted_s", [0.5, 4.0, 15.0])
def test_a_fault_that_is_too_short_is_neither_pass_nor_fail(lasted_s: float) -> None:
    verdict = judge(recorded(run_of(replace(HIT, hits=(Hit(0.2, lasted_s),)))))
    (found,) = verdict.alerts
    assert found.outcome is AlertOutcome.TOO_SHORT
    assert f"fault too short for it: users were harmed for {'' if lasted_s != 4 else '4'}" in found.sentence
    assert "alerts" not in [check.name for check in verdict.checks]


def test_a_rule_without_for_has_to_tell_sooner() -> None:
    at_once = RULE.model_copy(update={"for_s": 0.0})
    assert outcome(judge(recorded(run_of(replace(HIT, hits=(Hit(0.2, 10.0),))), rule=at_once))) is AlertOutcome.MISSING


@pytest.mark.parametrize("world", [NULL, SHAM])
def test_what_fires_in_a_control_run_is_false(world: object) -> None:
    run = run_of(world)  # type: ignore[arg-type]  # both are worlds
    verdict = judge(recorded(run, (3, 6)))
    assert (outcome(verdict), verdict.verdict) == (AlertOutcome.FALSE, Verdict.FAIL)
    assert "it fired 3.5 s after the fault, yet nothing was broken" in check_of(verdict, "alerts").sentence
    in_the_baseline = judge(recorded(run, (-4, -2)))
    assert outcome(in_the_baseline) is AlertOutcome.FALSE
    silent = judge(recorded(run))
    assert (outcome(silent), check_of(silent, "alerts").verdict) == (AlertOutcome.SILENT, Verdict.PASS)
    blind = judge(recorded(run, blind=(1, 8)))
    assert (outcome(blind), check_of(blind, "alerts").verdict) == (AlertOutcome.UNKNOWN, Verdict.INCONCLUSIVE)


def test_what_fires_for_a_role_that_was_not_hit_is_false_unless_users_were_harmed() -> None:
    gateway = RULE.model_copy(update={"roles": ("gateway",)})
    check = check_of(judge(recorded(run_of(UNHARMED), (12, 40), rule=gateway)), "alerts")
    assert check.verdict is Verdict.FAIL
    assert "yet inference was hit, and it is meant for gateway" in check.sentence
    harmed = judge(recorded(run_of(OUT), (12, 40), rule=gateway))
    assert (outcome(harmed), check_of(harmed, "alerts").verdict) == (AlertOutcome.UNKNOWN, Verdict.INCONCLUSIVE)
    said = "it fired 12.5 s after the fault, when users were harmed, yet inference was hit, and it is meant for gateway: it may be right."
    assert said in harmed.alerts[0].sentence
    assert harmed.alerts[0].sentence.endswith("add the role to its roles.")
    run = recorded(run_of(OUT), rule=gateway)
    refused = run.plan.targets[0].model_copy(update={"kind": "Namespace", "name": "ml-serving"})  # nothing that runs is hit by that
    assert outcome(judge(with_plan(run, targets=(refused, *run.plan.targets)))) is AlertOutcome.SILENT
    later = replace(HIT, hits=(Hit(20.0, 10.0),))
    assert outcome(judge(recorded(run_of(later), (12, 40), rule=gateway))) is AlertOutcome.FALSE  # users were harmed only afterwards
    assert outcome(judge(recorded(run_of(OUT), rule=gateway))) is AlertOutcome.SILENT
    either = RULE.model_copy(update={"roles": ("gateway", "inference")})
    assert outcome(judge(recorded(run_of(OUT), (12, 40), rule=either))) is AlertOutcome.RIGHT


def test_a_control_run_in_which_users_were_harmed_accuses_no_rule() -> None:
    verdict = judge(recorded(run_of(replace(NULL, hits=(Hit(2.0, 20.0),))), (12, 40)))
    assert outcome(verdict) is AlertOutcome.UNKNOWN
    assert verdict.alerts[0].sentence.endswith("See what harmed them.")


def test_a_rule_that_is_not_to_fire_and_could_not_be_evaluated_is_no_pass() -> None:
    verdict = judge(recorded(run_of(NULL), state="failed"))
    assert (outcome(verdict), check_of(verdict, "alerts").verdict) == (AlertOutcome.UNKNOWN, Verdict.INCONCLUSIVE)
    assert "it could not be evaluated for" in verdict.alerts[0].sentence


def test_pods_on_a_node_that_was_hit_were_hit_and_a_target_that_nobody_can_place_accuses_no_rule() -> None:
    gateway = RULE.model_copy(update={"roles": ("gateway",)})
    run = recorded(run_of(UNHARMED), (12, 40), rule=gateway)
    node = run.plan.targets[0].model_copy(update={"kind": "Node", "name": "zone-b-gpu", "node": "zone-b-gpu"})
    run = change_details(with_plan(run, targets=(node,)), EventKind.FAULT_START, lambda *_: {"targets": ["Node/zone-b-gpu"]})
    assert outcome(judge(run)) is AlertOutcome.FALSE
    there = add_event(run, -16.0, EventKind.POD_READY, "gateway-a", node="zone-b-gpu", role="gateway")
    assert outcome(judge(there)) is AlertOutcome.RIGHT
    stranger = with_plan(run, targets=(node.model_copy(update={"kind": "Deployment"}),))
    assert outcome(judge(stranger)) is AlertOutcome.RIGHT


def test_what_fired_before_the_fault_says_nothing_of_it() -> None:
    for firing in ((-20, 40), (-3, 5)):
        verdict = judge(recorded(run_of(OUT), firing))
        assert (outcome(verdict), check_of(verdict, "alerts").verdict) == (AlertOutcome.UNKNOWN, Verdict.INCONCLUSIVE)
        assert "it fired already before the fault" in verdict.alerts[0].sentence
    assert outcome(judge(recorded(run_of(OUT), (-10, -5), (12, 40)))) is AlertOutcome.RIGHT


def test_what_waited_before_the_fault_says_nothing_of_it_when_it_fires() -> None:
    verdict = judge(recorded(run_of(OUT), (3, 40), pending=(-6, 3)))
    assert (outcome(verdict), check_of(verdict, "alerts").verdict) == (AlertOutcome.UNKNOWN, Verdict.INCONCLUSIVE)
    assert "it fired 3.5 s after the fault, and it waited for that (pending) already before the fault" in verdict.alerts[0].sentence
    assert outcome(judge(recorded(run_of(OUT), (12, 40), pending=(-6, -2)))) is AlertOutcome.RIGHT  # it was inactive meanwhile
    assert outcome(judge(recorded(run_of(OUT), (12, 40), pending=(1, 12)))) is AlertOutcome.RIGHT
    failing = recorded(run_of(OUT), (3, 40), pending=(-6, -2), state="failed")  # no "inactive" between
    assert outcome(judge(failing)) is AlertOutcome.UNKNOWN
    control = judge(recorded(run_of(NULL), (-15, -12), pending=(-20, -15)))
    assert outcome(control) is AlertOutcome.UNKNOWN
    assert "already when the run began" in control.alerts[0].sentence


@pytest.mark.parametrize("pending", [(0, 0), (1, 3)])
def test_what_began_while_prometheus_was_silent_around_the_fault_may_be_older(pending: Stretch) -> None:
    verdict = judge(recorded(run_of(OUT), (3 if pending[1] else 1, 40), blind=(-7, 1), pending=pending))
    assert outcome(verdict) is AlertOutcome.UNKNOWN
    assert "Prometheus did not say whether it waited for that, or fired, already before the fault" in verdict.alerts[0].sentence
    brief = judge(recorded(run_of(OUT), (3, 40), blind=(-2, 1), pending=pending))  # three seconds are no silence
    assert outcome(brief) is AlertOutcome.RIGHT


def test_no_answer_of_prometheus_is_no_pass_and_no_fail() -> None:
    unheard = judge(with_plan(run_of(OUT), alerts=(RULE,)))
    check = check_of(unheard, "alerts")
    assert (outcome(unheard), check.verdict) == (AlertOutcome.UNKNOWN, Verdict.INCONCLUSIVE)
    assert "and Prometheus did not say for" in check.sentence
    assert outcome(judge(recorded(run_of(OUT), blind=(10, 20)))) is AlertOutcome.UNKNOWN
    assert outcome(judge(recorded(run_of(OUT), blind=(10, 13)))) is AlertOutcome.MISSING  # three seconds are no silence
    assert outcome(judge(recorded(run_of(OUT), (12, 40), blind=(20, 30)))) is AlertOutcome.RIGHT
    hidden = judge(recorded(run_of(OUT), (12, 40), blind=(10, 25)))
    assert outcome(hidden) is AlertOutcome.UNKNOWN
    assert "it may have been in time" in hidden.alerts[0].sentence


def test_without_a_fault_nothing_is_known() -> None:
    run = drop_events(recorded(run_of(OUT), (12, 40)), EventKind.FAULT_START, EventKind.FAULT_CONFIRMED)
    assert outcome(judge(run)) is AlertOutcome.UNKNOWN


def test_a_measurement_in_doubt_leaves_a_missing_alert_open() -> None:
    run = drop_events(recorded(run_of(OUT)), EventKind.FAULT_CONFIRMED)
    assert check_of(judge(run), "alerts").verdict is Verdict.INCONCLUSIVE


def test_rules_of_another_class_are_recorded_and_not_judged() -> None:
    other = RULE.model_copy(update={"workload": "batch-training"})
    verdict = judge(recorded(run_of(OUT), (12, 40), rule=other))
    assert verdict.alerts == ()
    assert "alerts" not in [check.name for check in verdict.checks]


def test_a_run_without_rules_has_no_such_check() -> None:
    verdict = judge(run_of(OUT))
    assert "alerts" not in [check.name for check in verdict.checks]
    measured = verdict.measurement("ttd")
    assert measured is not None
    assert measured.sentence == "the target names no alerting rule of this workload"


def test_a_wrong_rule_is_said_first() -> None:
    silent = RULE.model_copy(update={"rule": "Other", "group": "b", "roles": ("gateway",)})
    run = recorded(run_of(OUT), rule=silent)
    both = pl.concat([run.alerts, recorded(run_of(OUT)).alerts])
    check = check_of(judge(with_plan(replace(run, alerts=both), alerts=(silent, RULE))), "alerts")
    assert check.sentence.startswith("Alert InferenceUnavailable, missing:")
    assert "Alert Other, silent: it did not fire" in check.sentence
