"""Healing: rollbacks always, then whatever the journal still holds, then the proof that the platform is as before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from history.errors import AftershockError, UndoFailed
from history.schema import EventKind
from kube.client import api_errors
from kube.reachable import answers, can_look
from runner.preflight.platform_health import Before, differences, resizings
from runner.run.abort.interference import cordoned_again
from runner.run.context import Context
from runner.run.phases.activities import execute
from runner.run.phases.patience import Patience
from safety.replacement import residues
from safety.undo import bring_back, undo_all

PERIOD_S = 1.0
Attempt = Callable[[], list[str]]


def heal(context: Context, before: Before) -> list[str]:
    """Undo the fault and wait until the platform is as it was; return what remains (nothing: proven clean)."""
    context.log.event(EventKind.HEAL_START)
    patience = Patience(context.run.plan.timers.heal_s, lambda: answers(context.run.platform))
    remains = _repeat(lambda: _undo(context), patience, context)
    if not remains:
        remains = _repeat(lambda: _differs(context, before), patience, context) or _left_to_others(context)
    unknown = bool(remains) and not can_look(context.run.platform)  # what could not be looked at may well be mended by others
    resized = [] if remains else _resized(context, before)
    residue = [] if remains else _residue(context)
    said: dict[str, Any] = {key: texts for key, texts in (("resized", resized), ("residue", residue)) if texts}
    context.log.event(EventKind.HEAL_END, clean=None if unknown else not remains, remains=remains, **said)
    for text in (*resized, *residue):
        context.note(text)
    if remains:
        context.note(f"heal: not proven as before: {'; '.join(remains)}; look at it, then: python -m runner heal --target FILE")
    return remains


def _repeat(attempt: Attempt, patience: Patience, context: Context) -> list[str]:
    """Try again until nothing remains or time is up: the API server may be away for a while."""
    while remains := attempt():
        if patience.over():
            return remains
        context.stop.wait(PERIOD_S)
    return []


def _undo(context: Context) -> list[str]:
    """Run every rollback, then undo every entry of the journal that is left; return what failed."""
    failed: list[str] = []
    for rollback in context.experiment.raw.get("rollbacks", []):
        context.run.activity = rollback["name"]
        result = execute(rollback, context.configuration)
        context.run.activity = ""
        context.toolkit_journal.rollbacks.append(result.entry)
        if result.error is not None:
            failed.append(result.sentence)
    try:
        bring_back(context.run)
        undo_all(context.run)
    except AftershockError as error:
        failed.append(str(error))
    return failed


def _differs(context: Context, before: Before) -> list[str]:
    try:
        run = context.run
        others = cordoned_again(run)
        nodes = {name: replace(state, schedulable=state.schedulable and name not in others) for name, state in before.nodes.items()}
        return differences(run.platform, replace(before, nodes=nodes), run.all_targets(), run.journal.entries())
    except AftershockError as error:
        return [str(error)]


def _resized(context: Context, before: Before) -> list[str]:
    """Return which roles were scaled by others meanwhile, and by whom: "as before" is what their controllers want now."""
    try:
        return resizings(context.run.platform, before)
    except AftershockError as error:
        return [f"whether a role was scaled meanwhile is not known: {error}"]


def _residue(context: Context) -> list[str]:
    """Return what stays and does nothing any more: no fault that is alive."""
    try:
        with api_errors("look for residue", UndoFailed):
            return residues(context.run.platform, context.run.journal.entries())
    except AftershockError as error:
        return [f"whether a residue stays is not known: {error}"]


def _left_to_others(context: Context) -> list[str]:
    try:
        return sorted(cordoned_again(context.run).values())
    except AftershockError as error:
        return [str(error)]
