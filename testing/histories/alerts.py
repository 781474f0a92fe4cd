"""Recorded runs with an alerting rule that is judged, and what Prometheus said of it each second."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from history.alert_plan import AlertPlan
from history.reader import Run
from history.schema import ALERTS
from testing.histories.edits import at, with_plan

RULE = AlertPlan(
    rule="InferenceUnavailable", group="serving", roles=("inference",), workload="realtime-inference", query="sum(up) < 1",
    scrape_s=1, evaluation_s=5, for_s=10,
)  # fmt: skip
Stretch = tuple[float, float]
"""From and until when (s after the fault)."""


def recorded(
    run: Run, *firing: Stretch, rule: AlertPlan = RULE, blind: Stretch = (0, 0), pending: Stretch = (0, 0), state: str = "inactive"
) -> Run:
    """Return ``run`` with a rule that is judged, of which Prometheus was asked each second: it fires in ``firing`` (s after the fault)."""
    times = [second - 15.5 for second in range(200)]
    waits = {t_s: "pending" if pending[0] <= t_s < pending[1] else state for t_s in times}
    said = [("firing" if any(start <= t_s < end for start, end in firing) else waits[t_s], t_s) for t_s in times]
    said = [(what, t_s) for what, t_s in said if not blind[0] <= t_s < blind[1]]
    rows = [
        {"t_ns": at(t_s), "group": rule.group, "rule": rule.rule, "state": what, "active_ns": None, "labels": "{}", "region": "default"}
        for what, t_s in said
    ]
    other = [row | {"group": "other", "state": "firing"} for row in rows]  # of another group: none of its business
    return with_plan(replace(run, alerts=pl.DataFrame(rows + other, schema=ALERTS)), alerts=(rule,))
