"""Confirming: the evidence must be false before the fault and become true within its deadline, or nothing can be concluded from the run."""

from __future__ import annotations

from typing import Any

from history.clock import now_ns
from history.schema import EventKind
from kube.wait import until
from runner.messages import Kind
from runner.run.context import Context, Unconfirmed
from runner.run.phases.activities import ActivityResult, execute, shown, tolerated

PERIOD_S = 0.25
AGAIN_S = 3.0
"""How often the evidence of a fault that lasts is looked at again while users are watched."""
ENDING_S = 3.0
"""So long before its planned end a fault may be seen to end: clocks and drivers are no finer."""


def look_before(context: Context) -> None:
    """Look at the evidence before anything is injected: it must be false then.

    Raises:
        Unconfirmed: a probe is true.

    """
    for probe in _probes(context):
        result = execute(probe, context.configuration)
        if tolerated(result, probe, context.configuration):
            context.log.event(EventKind.FAULT_CONFIRMED, result.name, observed=shown(result.value))
            raise Unconfirmed(
                f"the evidence is true before the fault, so it could prove nothing: {result.sentence}; nothing was injected; "
                "correct the probe, or end what an earlier fault left"
            )


def confirm(context: Context) -> None:
    """Wait until every evidence probe has been true once.

    Raises:
        Unconfirmed: not within the plan's ``confirm_s``.

    """
    waiting = {probe["name"]: probe for probe in _probes(context)}
    seen: dict[str, str] = {}

    def all_true() -> bool:
        for name, probe in list(waiting.items()):
            result = execute(probe, context.configuration)
            seen[name] = result.sentence
            if tolerated(result, probe, context.configuration):
                _confirmed(context, result)
                del waiting[name]
        return not waiting

    if not until(all_true, context.run.plan.timers.confirm_s, PERIOD_S, context.stop.wait):
        _refuse(context, {name: seen[name] for name in waiting})
    context.stop.check()


def _confirmed(context: Context, result: ActivityResult) -> None:
    context.t_confirmed_ns = context.log.event(EventKind.FAULT_CONFIRMED, result.name, observed=shown(result.value))
    context.toolkit_journal.run.append(result.entry)
    context.send(Kind.NOTE, text=f"{result.name}: seen, the fault acts")


def look_again(context: Context) -> None:
    """Record whether the evidence of a fault that lasts still holds; one that ended early was a smaller fault than the plan says."""
    begun_ns = context.log.t_fault_ns
    if begun_ns is None or now_ns() - begun_ns > (context.run.plan.timers.fault_s - ENDING_S) * 1e9:
        return
    for probe in _probes(context):
        result = execute(probe, context.configuration)
        if result.error is None and not result.no_data:
            held = tolerated(result, probe, context.configuration)
            context.log.event(EventKind.FAULT_EVIDENCE, result.name, held=held, observed=shown(result.value))


def _probes(context: Context) -> list[dict[str, Any]]:
    settings = context.experiment.raw["extensions"][context.experiment.extension_at()]
    return list(settings.get("evidence", []))


def _refuse(context: Context, seen: dict[str, str]) -> None:
    deadline_s = context.run.plan.timers.confirm_s
    for name, observed in seen.items():
        context.log.event(EventKind.FAULT_UNCONFIRMED, name, observed=observed, deadline_s=deadline_s)
    raise Unconfirmed(
        f"the fault is not proven: after {deadline_s:.0f} s still {'; '.join(seen.values())}; nothing can be concluded from this run"
    )
