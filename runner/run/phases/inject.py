"""Injecting: the method's actions, in order; each must succeed and name at least one target, or the run stops there."""

from __future__ import annotations

from collections.abc import Callable

from history.errors import FaultFailed
from history.schema import EventKind
from runner.experiment.format import Action
from runner.messages import Kind
from runner.run.context import Context
from runner.run.phases.activities import ActivityResult, execute
from runner.run.phases.confirm import look_before


def inject(context: Context, ahead: Callable[[Action], None] = lambda _: None) -> None:
    """Execute the method, unless its evidence is there already. ``ahead`` is called right before each action.

    Raises:
        Unconfirmed: the evidence is true before the fault; nothing is executed.
        FaultFailed: an action failed, or did not prove that it touched anything; later actions are not executed.

    """
    look_before(context)
    for action, typed in zip(context.experiment.raw["method"], context.experiment.document.method, strict=True):
        pauses = action.get("pauses", {})
        context.stop.wait(pauses.get("before", 0))
        ahead(typed)
        result = _execute(context, action)
        context.toolkit_journal.run.append(result.entry)
        wrong = _wrong(result)
        if wrong:
            context.log.event(EventKind.FAULT_FAILED, result.name, error=wrong)
            raise FaultFailed(wrong)
        context.send(Kind.NOTE, text=f"{result.name}: {', '.join(map(str, result.value['targets']))}")
        context.stop.wait(pauses.get("after", 0))


def _execute(context: Context, action: dict[str, object]) -> ActivityResult:
    context.run.activity = str(action["name"])
    try:
        return execute(action, context.configuration)
    finally:
        context.run.activity = ""


def _wrong(result: ActivityResult) -> str:
    if result.error is not None:
        return result.sentence
    targets = result.value.get("targets") if isinstance(result.value, dict) else None
    if not targets:
        return f"{result.name}: it succeeded without naming a target (it returned {result.value!r}), so nothing proves that it acted"
    return ""
