"""What ``--collect-only`` says: which experiment would break what, by the files alone. No cluster is asked; a dry run names the objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from runner.experiment.catalogue import ends
from runner.experiment.experiment import Experiment
from runner.experiment.format import Action
from runner.plugin.items import ExperimentItem
from target.target import Target

NOTHING = "nothing: a control, the same load without a fault"
NEXT = "which pods and nodes, by name, and with which rights: --chaos-dry-run"


def foretold(items: Iterable[pytest.Item], target: Target) -> list[str]:
    """Return lines on each selected experiment, once however many trials it has; empty: none is selected."""
    ours = {item.experiment.id: item for item in items if isinstance(item, ExperimentItem)}
    lines = [line for item in ours.values() for line in _lines(item, target)]
    return [*lines, NEXT] if lines else []


def _lines(item: ExperimentItem, target: Target) -> Iterator[str]:
    yield f"{item.experiment.id}: {item.experiment.document.title}"
    if item.absent:
        yield f"  skipped: {item.absent}"
        return
    method = item.experiment.document.method
    yield from (f"  breaks {what}" for what in ([_broken(action, target) for action in method] or [NOTHING]))
    yield f"  must hold: {_held(item.experiment)}"


def _broken(action: Action, target: Target) -> str:
    """Return what an action hits, by which fault, and what ends it."""
    arguments = dict(action.provider.arguments)
    role = arguments.pop("role", None)
    by = ", ".join([action.provider.name, *(f"{name} {value}" for name, value in arguments.items())])
    where = f"{role} ({_pods(str(role), target)}), " if role is not None else ""
    return f"{where}by {by}; ends: {ends(action)}"


def _pods(role: str, target: Target) -> str:
    """Return where a role's pods are and who makes them, as the target file says."""
    known = target.roles[role]  # asked before: fit_target refuses an experiment with a role that is not there
    made = f"{known.controller.kind} {known.controller.name}" if known.controller else known.selector
    return f"{made} in {known.namespace}"


def _held(experiment: Experiment) -> str:
    """Return under which workloads, and the budgets that the experiment names; those of class and target are merged by a run."""
    budgets = ", ".join(f"{name} {value}" for name, value in experiment.written.get("budgets", {}).items())
    expect = experiment.settings.expect
    weak = "" if expect.verdict == "PASS" else f"; {expect.verdict} is expected" + (f" by check {expect.check}" if expect.check else "")
    return f"{' and '.join(experiment.settings.workloads)}: {budgets}{weak}"
