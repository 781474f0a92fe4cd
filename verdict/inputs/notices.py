"""What the suite's receiver heard of Alertmanager about one alerting rule, and when it may have missed something."""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl

from history.alert_plan import AlertPlan
from history.schema import Notice

UNREAD_NS = 1_000_000_000  # of what could not be read within a second, the first alone is recorded


@dataclass(frozen=True, slots=True)
class Notices:
    """What came (ns UTC, in order of time).

    ``told``: when Alertmanager told that the rule fires, and since when the alert that it told of does, by Prometheus' clock.
    ``listened_ns``: since when the receiver listens; ``None``: it did not. ``deaf``: why not, as far as it is known. ``unread``: what else
    came, and what it was.
    """

    told: tuple[tuple[int, int], ...]
    listened_ns: int | None
    deaf: str
    unread: tuple[tuple[int, str], ...]

    def first_within(self, from_ns: int, to_ns: int, begun_ns: int) -> int | None:
        """Return when Alertmanager told first within a stretch of time of an alert that fires since ``begun_ns`` or later, if it did."""
        return next((t_ns for t_ns, starts_ns in self.told if from_ns <= t_ns <= to_ns and starts_ns >= begun_ns), None)

    def gap(self, from_ns: int, to_ns: int) -> str:
        """Return why a notification within a stretch of time may not have been heard; empty: each was."""
        if self.listened_ns is None or self.listened_ns > from_ns:
            return f"the suite's receiver did not listen{f': {self.deaf}' if self.deaf else ''}"
        found = [text for t_ns, text in self.unread if from_ns - UNREAD_NS <= t_ns <= to_ns]
        return f"the suite's receiver could not read all that came ({found[0]})" if found else ""


def notices_of(notifications: pl.DataFrame, rule: AlertPlan) -> Notices:
    """Return what the table ``notifications`` says of ``rule``."""
    rows = notifications.filter(pl.col("t_ns").is_not_null()).sort("t_ns").select("t_ns", "kind", "rule", "detail", "starts_ns").rows()
    about = [(t_ns, kind, _text(detail)) for t_ns, kind, name, detail, _ in rows if not name]
    return Notices(
        told=tuple((t_ns, starts_ns) for t_ns, kind, name, _, starts_ns in rows if (kind, name) == (Notice.FIRING.value, rule.rule)),
        listened_ns=next((t_ns for t_ns, kind, _ in about if kind == Notice.LISTENING.value), None),
        deaf=next((text for _, kind, text in about if kind == Notice.DEAF.value), ""),
        unread=tuple((t_ns, text) for t_ns, kind, text in about if kind == Notice.UNREAD.value),
    )


def _text(detail: str | None) -> str:
    try:
        found = json.loads(detail or "{}")
    except ValueError:
        return ""
    return str(found.get("text", "")) if isinstance(found, dict) else ""
