"""What meets a hypothesis, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from history.errors import NoData
from history.schema import EventKind
from runner.run.context import Context
from runner.run.phases.activities import execute, tolerated
from runner.run.phases.hypothesis import evaluate
from testing.runs.phases import events
from testing.runs.runner_parts import scripted


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "1.0", True, [], NoData("stale"), RuntimeError("boom")])
def test_nothing_but_a_number_within_its_range_meets_a_hypothesis(context: Context, value: Any) -> None:
    scripted["served"] = [value]
    steady = evaluate(context, "test")
    assert not steady.met
    [(_, detail)] = events(context, EventKind.HYPOTHESIS)
    assert detail["met"] is False


@pytest.mark.parametrize(
    ("tolerance", "value", "met"),
    [
        (True, True, True),
        (0, 0, True),
        (0, 1, False),
        ("ok", "ok", True),
        ([0, 10], 10, True),
        ([0, 10], 10.5, False),
        ([0, 10], None, False),
        ([0, 10], "5", False),
        ({"type": "range", "range": [0, 1]}, "abc", False),
        ({"type": "range", "range": [0, 1], "target": "x"}, {"x": 0.5}, True),
        ({"type": "regex", "pattern": "^a"}, 3, False),
    ],
)
def test_tolerances(context: Context, tolerance: Any, value: Any, met: bool) -> None:
    scripted["served"] = [value]
    probe = context.experiment.raw["steady-state-hypothesis"]["probes"][0] | {"tolerance": tolerance}
    assert tolerated(execute(probe, {}), probe, {}) is met
