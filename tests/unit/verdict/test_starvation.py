"""A control run on a machine whose processors others had taken: what it excuses, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.reader import Run
from history.result import Verdict
from history.schema import SAMPLES, Series
from testing.histories.edits import at
from testing.histories.truth import Hit, World
from tests.unit.verdict.conftest import HIT, run_of
from verdict import judge

NULL = World(fault="none", replaced=False, horizon_s=25.0)
SLOW = replace(NULL, hits=(Hit(3.0, 2.0, kind="slow"),))


def on_machine(run: Run, idle: float, others: float, start_s: float = -16, end_s: float = 26) -> Run:
    """Return ``run`` with an account of its machine once a second; outside of [start_s, end_s) it was quiet."""
    seconds = range(-16, 26)
    rows = [
        {"t_ns": at(second), "series": series.value, "labels": "{}", "value": value if start_s <= second < end_s else quiet}
        for second in seconds
        for series, value, quiet in (
            (Series.MACHINE_IDLE, idle, 0.6),
            (Series.MACHINE_OTHERS, others, 0.1),
            (Series.MACHINE_PRESSURE, 0.99, 0.2),
        )
    ]
    return replace(run, samples=pl.concat([run.samples, pl.DataFrame(rows, schema=SAMPLES)]).sort("t_ns"))


def test_slow_answers_of_a_starved_control_run_accuse_nobody() -> None:
    assert judge(run_of(SLOW)).verdict is Verdict.FAIL
    judged = judge(on_machine(run_of(SLOW), idle=0.0, others=0.5))
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "others used at least 33.3 %" in judged.sentence


def test_a_starved_control_run_that_users_did_not_notice_still_passes() -> None:
    assert judge(on_machine(run_of(NULL), idle=0.0, others=0.9)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("idle", "others", "start_s", "end_s"),
    [
        (0.4, 0.5, -16, 26),  # there were processors left
        (0.0, 0.2, -16, 26),  # the platform starved itself
        (0.0, 0.9, 10, 20),  # at another time
        (0.0, 0.9, 4, 5),  # for half of it only: what remains is an outage
    ],
)
def test_what_the_machine_does_not_explain_stays_a_failure(idle: float, others: float, start_s: float, end_s: float) -> None:
    assert judge(on_machine(run_of(SLOW), idle, others, start_s, end_s)).verdict is Verdict.FAIL


def test_a_run_with_a_fault_is_never_excused() -> None:
    over = replace(HIT, rto_budget_s=2.0)
    starved = judge(on_machine(run_of(over), idle=0.0, others=0.9))
    assert starved.verdict is Verdict.FAIL
    assert next(check for check in starved.checks if check.name == "rto").sentence == judge(run_of(over)).sentence.split(" (FAIL")[0]


def test_the_machine_is_measured_after_the_fault() -> None:
    judged = judge(on_machine(run_of(NULL), idle=0.0, others=0.5, start_s=3, end_s=7))
    found = {name: judged.measurement(f"machine_{name}") for name in ("starved", "others", "pressure")}
    assert {name: round(one.value, 1) for name, one in found.items() if one and one.value is not None} == {
        "starved": 4.0,
        "others": pytest.approx(0.2),
        "pressure": pytest.approx(0.3),
    }
    unknown = judge(run_of(NULL)).measurement("machine_others")
    assert unknown is not None
    assert unknown.sentence == "not recorded: platform and suite share no machine"
