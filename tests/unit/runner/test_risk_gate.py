"""``--chaos-fail-on-risk``: which risks end a session with 12, and what stands before them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from history.plan import write_plan
from runner.plugin.risk_gate import gating, risks_met
from runner.plugin.session_end import exit_status
from testing.histories.sample_plan import plan_of
from testing.histories.sample_scenarios import NODE_OFF

LATE, MEMORY = "late-eviction of Deployment inference", "no-memory-limit of Deployment gateway"
SINGLE = "role inference is a single point of failure: not tested"


def session(tmp_path: Path, asked: str | None, outcome: str = "passed", risks: tuple[str, ...] = ()) -> Any:
    run = tmp_path / "run"
    run.mkdir()
    write_plan(plan_of(NODE_OFF), run)
    options = SimpleNamespace(fail_on=gating(asked))
    shown: dict[str, list[str]] = {one: ["serving/replica-killed"] for one in risks}
    return SimpleNamespace(
        options=options, run_dirs=[run, run], risks=shown, outcomes=[outcome], malformed=0, absent=[], regressed=[], unjudged=[]
    )


@pytest.mark.parametrize(
    ("asked", "met", "code"),
    [
        (None, [], 0),
        ("all", [SINGLE, LATE, MEMORY], 12),
        ("late-eviction", [LATE], 12),
        ("one-replica, one-node", [], 0),
        ("not-tested", [SINGLE], 12),
    ],
)
def test_the_risks_that_are_asked_for_end_a_session(tmp_path: Path, asked: str | None, met: list[str], code: int) -> None:
    chaos = session(tmp_path, asked, risks=(SINGLE,))
    assert risks_met(chaos) == met
    assert exit_status(chaos, 0, rendered=True) == code


@pytest.mark.parametrize(("outcome", "code"), [("failed", 1), ("inconclusive", 10), ("refused", 11)])
def test_verdicts_stand_before_risks(tmp_path: Path, outcome: str, code: int) -> None:
    assert exit_status(session(tmp_path, "all", outcome), 1, rendered=True) == code


def test_a_run_that_cannot_be_read_has_no_risks_and_the_report_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    chaos = session(tmp_path, "all")
    (tmp_path / "run" / "plan.json").unlink()
    assert risks_met(chaos) == []


@pytest.mark.parametrize("asked", ["no-such-risk", "", "one-replica,x"])
def test_a_risk_that_nobody_looks_for_is_a_usage_error(asked: str) -> None:
    with pytest.raises(pytest.UsageError, match=r"is no risk; write some of all, not-tested, one-replica"):
        gating(asked)
