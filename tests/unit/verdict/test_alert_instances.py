"""A rule with an alert for each of its instances is judged by those that began after the fault, whatever others said before."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest

from history.reader import Run
from history.result import AlertOutcome, RunVerdict
from history.schema import ALERTS
from testing.histories.alerts import RULE, Stretch
from testing.histories.edits import at, with_plan
from testing.histories.truth_plan import REPLICAS
from tests.unit.verdict.conftest import NULL, run_of
from tests.unit.verdict.test_alerts import OUT, outcome
from verdict import judge

OLDER, NEW = "inference-of-long-ago", "inference-of-now"
Said = dict[str, dict[str, Stretch]]
"""What each pod's alert does when: ``pending`` and ``firing`` (s after the fault)."""


def apart(run: Run, said: Said, failing: Stretch = (0, 0)) -> Run:
    """Return ``run`` with a rule of which each alert has a row of its own in each answer, one a second."""
    rows = [row for second in range(200) for row in answer(second - 15.5, said, failing)]
    return with_plan(replace(run, alerts=pl.DataFrame(rows, schema=ALERTS)), alerts=(RULE,))


def answer(t_s: float, said: Said, failing: Stretch) -> list[dict[str, object]]:
    doing = {pod: state for pod, when in said.items() for state, (start, end) in when.items() if start <= t_s < end}
    fails = failing[0] <= t_s < failing[1]
    found = [(json.dumps({"alertname": RULE.rule, "pod": pod}), state) for pod, state in doing.items()]
    if fails or not found:
        found.append(("{}", "failed" if fails else "inactive"))
    base = {"t_ns": at(t_s), "group": RULE.group, "rule": RULE.rule, "region": "default", "alerts": len(doing)}
    return [base | {"labels": labels, "state": state} for labels, state in found]


def judged(said: Said, failing: Stretch = (0, 0)) -> RunVerdict:
    return judge(apart(run_of(OUT), said, failing))


@pytest.mark.parametrize(
    "older", [{"firing": (-20, 60)}, {"firing": (-3, 5)}, {"pending": (-6, 3), "firing": (3, 40)}, {"pending": (-9, 60)}]
)
def test_an_alert_that_began_after_the_fault_tells_whatever_another_said_before(older: dict[str, Stretch]) -> None:
    verdict = judged({OLDER: older, NEW: {"pending": (2, 12), "firing": (12, 40)}})
    assert outcome(verdict) is AlertOutcome.RIGHT
    assert verdict.alerts[0].firing_s == pytest.approx(12.5)
    assert verdict.value("ttd") == pytest.approx(12.5)


@pytest.mark.parametrize("older", [{"firing": (-20, 60)}, {"pending": (-6, 3), "firing": (3, 40)}])
def test_without_a_new_alert_an_older_one_says_nothing(older: dict[str, Stretch]) -> None:
    assert outcome(judged({OLDER: older})) is AlertOutcome.UNKNOWN


def test_an_older_alert_that_ends_and_fires_again_is_no_new_one() -> None:
    again: dict[str, Stretch] = {"firing": (-3, 5), "pending": (8, 12)}
    run = apart(run_of(OUT), {OLDER: again})
    more = apart(run_of(OUT), {OLDER: {"firing": (12, 40)}}).alerts.filter(pl.col("t_ns") >= at(12))
    both = pl.concat([run.alerts.filter(pl.col("t_ns") < at(12)), more])
    assert outcome(judge(replace(run, alerts=both))) is AlertOutcome.UNKNOWN


def test_an_alert_that_only_waits_hides_no_missing_one() -> None:
    assert outcome(judged({OLDER: {"pending": (-9, 60)}})) is AlertOutcome.MISSING


@pytest.mark.parametrize(("pod", "expected"), [(NEW, AlertOutcome.UNKNOWN), (REPLICAS[0], AlertOutcome.LATE)])
def test_a_late_alert_is_late_beside_an_older_one_only_if_it_names_what_was_hit(pod: str, expected: AlertOutcome) -> None:
    verdict = judged({OLDER: {"firing": (-20, 60)}, pod: {"firing": (25, 40)}})
    assert outcome(verdict) is expected
    assert ("may have told in time" in verdict.alerts[0].sentence) is (expected is AlertOutcome.UNKNOWN)
    assert outcome(judged({pod: {"firing": (25, 40)}})) is AlertOutcome.LATE
    afterwards: dict[str, Stretch] = {"pending": (-6, 30), "firing": (30, 40)}
    assert outcome(judged({OLDER: afterwards, pod: {"firing": (25, 40)}})) is AlertOutcome.LATE


def test_a_new_alert_of_a_control_run_is_false_beside_an_older_one() -> None:
    older: Said = {OLDER: {"firing": (-20, 60)}}
    assert outcome(judge(apart(run_of(NULL), older))) is AlertOutcome.UNKNOWN
    assert outcome(judge(apart(run_of(NULL), older | {NEW: {"firing": (3, 6)}}))) is AlertOutcome.FALSE


def test_an_alert_that_waited_until_the_evaluation_failed_is_not_known_to_be_new() -> None:
    said: Said = {OLDER: {"pending": (-9, 60)}, NEW: {"pending": (-9, -6), "firing": (3, 40)}}
    assert outcome(judged(said, failing=(-6, 3))) is AlertOutcome.UNKNOWN
    assert outcome(judged(said)) is AlertOutcome.RIGHT


def test_rows_that_speak_for_all_alerts_are_judged_as_one() -> None:
    run = apart(run_of(OUT), {OLDER: {"pending": (-6, 12)}, NEW: {"firing": (12, 40)}})
    assert outcome(judge(run)) is AlertOutcome.RIGHT
    as_of_old = run.alerts.with_columns(alerts=pl.lit(None, pl.Int32))
    assert outcome(judge(replace(run, alerts=as_of_old))) is AlertOutcome.UNKNOWN


@pytest.mark.parametrize("labels", [None, "{", "[1]", '"text"'])
def test_damaged_labels_name_nothing_that_was_hit(labels: str | None) -> None:
    run = apart(run_of(OUT), {REPLICAS[0]: {"firing": (12, 40)}})
    damaged = run.alerts.with_columns(labels=pl.lit(labels, pl.String))
    assert outcome(judge(replace(run, alerts=damaged))) is AlertOutcome.RIGHT
