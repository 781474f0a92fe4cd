"""Blackout windows of the target file: no run begins in one, or would still be going on when it opens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from history.errors import TargetRefused
from history.plan import Plan
from target.target import Target


def refuse_blackout(target: Target, begin: datetime, lasts_s: float) -> None:
    """Refuse a run from ``begin`` (aware) that may last ``lasts_s`` seconds and would meet a blackout window.

    Raises:
        TargetRefused: which window, and when it ends.

    """
    for window in target.blackouts:
        met = window.overlap(begin, begin + timedelta(seconds=lasts_s))
        if met is not None:
            opens, closes = (f"{moment:%a %Y-%m-%d %H:%M}" for moment in met)
            now = "it is open now" if met[0] <= begin else f"the run may last until {begin + timedelta(seconds=lasts_s):%H:%M} UTC"
            raise TargetRefused(
                f"target {target.name}: blackout window from {opens} to {closes} {window.timezone} ({window.why}), and {now}; "
                "nothing was injected; run after it, or change blackouts in the target file"
            )


def longest_s(plan: Plan) -> float:
    """Return how long a run may last at most (s): every phase at its longest, the baseline twice."""
    timers = plan.timers
    return 2 * timers.baseline_s + timers.confirm_s + timers.deadline_s + timers.heal_s


def now() -> datetime:
    """Return this moment (UTC)."""
    return datetime.now(UTC)
