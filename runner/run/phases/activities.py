"""Executing one activity through chaoslib, and what came of it."""

from __future__ import annotations

import math
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import InvalidOperation
from typing import Any

from chaoslib import substitute
from chaoslib.activity import run_activity
from chaoslib.exceptions import ActivityFailed
from chaoslib.hypothesis import within_tolerance

from history.errors import NoData

Activity = dict[str, Any]
Configuration = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ActivityResult:
    """How one activity ended. ``error`` is what it raised; ``entry`` is what Chaos Toolkit's journal says of it."""

    name: str
    value: Any
    error: BaseException | None
    entry: dict[str, Any] = field(repr=False)

    @property
    def no_data(self) -> bool:
        """Whether the probe saw nothing, or nothing that counts as a value."""
        return isinstance(self.error, NoData) or (self.error is None and is_nothing(self.value))

    @property
    def sentence(self) -> str:
        """What went wrong, or what was seen."""
        if self.error is None:
            return f"{self.name}: {shown(self.value)}"
        return f"{self.name}: {self.error}" if str(self.error) else f"{self.name}: {type(self.error).__name__}"


def execute(activity: Activity, configuration: Configuration) -> ActivityResult:
    """Run ``activity`` once and return how it ended; only a stop request (a BaseException) passes through."""
    start = datetime.now(UTC)
    entry: dict[str, Any] = {"activity": dict(activity), "output": None, "start": start.isoformat()}
    value, error = None, None
    try:
        value = run_activity(activity, configuration, {})
        entry |= {"output": value, "status": "succeeded"}
    except ActivityFailed as failed:
        error = failed.__context__ or failed  # chaoslib wraps what the function raised
        entry |= {"status": "failed", "exception": traceback.format_exception(type(failed), failed, None)}
    end = datetime.now(UTC)
    entry |= {"end": end.isoformat(), "duration": (end - start).total_seconds()}
    return ActivityResult(activity["name"], value, error, entry)


def is_nothing(value: object) -> bool:
    """Whether a probe's value is no value: None, NaN or infinite."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def tolerated(result: ActivityResult, activity: Activity, configuration: Configuration) -> bool:
    """Return whether the value lies within the activity's tolerance; nothing, an error or a value of another kind never does."""
    if result.error is not None or is_nothing(result.value):
        return False
    tolerance = activity["tolerance"]
    if _is_range(tolerance) and (isinstance(result.value, bool) or not isinstance(result.value, int | float)):
        return False
    tolerance = substitute(tolerance, configuration, {}) if isinstance(tolerance, str) else tolerance
    try:
        met = bool(within_tolerance(tolerance, result.value, configuration=configuration, secrets={}))
    except (TypeError, ValueError, AttributeError, KeyError, InvalidOperation):  # a value of a kind that this tolerance cannot judge
        met = False
    result.entry["tolerance_met"] = met
    return met


def shown(value: object) -> str:
    """Return a value as a person reads it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_range(tolerance: object) -> bool:
    if isinstance(tolerance, dict):
        return tolerance.get("type") == "range" and "target" not in tolerance
    return isinstance(tolerance, list) and len(tolerance) == 2 and all(isinstance(bound, int | float) for bound in tolerance)
