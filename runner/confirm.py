"""Confirming: the evidence must become true within its deadline, or nothing can be concluded from the run."""

from __future__ import annotations

import time
from typing import Any

from history.schema import EventKind
from runner.activities import execute, shown, tolerated
from runner.context import Context, Unconfirmed

PERIOD_S = 0.25


def confirm(context: Context) -> None:
    """Wait until every evidence probe has been true once.

    Raises:
        Unconfirmed: not within the plan's ``confirm_s``.

    """
    settings = context.experiment.raw["extensions"][context.experiment.extension_at()]
    waiting: dict[str, dict[str, Any]] = {probe["name"]: probe for probe in settings.get("evidence", [])}
    seen: dict[str, str] = {}
    until_s = time.monotonic() + context.live.plan.timers.confirm_s
    while waiting:
        for name, probe in list(waiting.items()):
            outcome = execute(probe, context.configuration)
            seen[name] = outcome.sentence
            if tolerated(outcome, probe, context.configuration):
                context.t_confirmed_ns = context.log.event(EventKind.FAULT_CONFIRMED, name, observed=shown(outcome.value))
                context.record.run.append(outcome.record)
                del waiting[name]
        if waiting and time.monotonic() >= until_s:
            _refuse(context, {name: seen[name] for name in waiting})
        context.stop.wait(PERIOD_S if waiting else 0)


def _refuse(context: Context, seen: dict[str, str]) -> None:
    deadline_s = context.live.plan.timers.confirm_s
    for name, observed in seen.items():
        context.log.event(EventKind.FAULT_UNCONFIRMED, name, observed=observed, deadline_s=deadline_s)
    raise Unconfirmed(
        f"the fault is not proven: after {deadline_s:.0f} s still {'; '.join(seen.values())}; nothing can be concluded from this run"
    )
