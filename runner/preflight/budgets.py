"""The budgets of a run: class default, target, experiment, merged in that order; each keeps who set it."""

from __future__ import annotations

import math

from history.budgets import BUDGETS, Bounds, Budgets, class_defaults, written
from runner.drivers.driver import Driver
from runner.experiment.experiment import Experiment
from target.target import Target


def merged_budgets(experiment: Experiment, target: Target, driver: Driver) -> Budgets:
    """Merge the budgets of what ``driver`` drives, class default < target < experiment < target for it; ``source`` says who set each.

    Of a run that several workloads drive, each has the experiment's budgets that mean something for its kind. An experiment asks for no
    better availability than the class promises its users.
    """
    own = experiment.settings.budgets
    left_out = {name for name in own.values() if not BUDGETS[name].fits(driver.kind)}
    layers = (
        ("class default", Bounds(**class_defaults(driver.name, driver.kind))),
        ("target", target.workloads[driver.name].budgets),
        ("experiment", own.model_copy(update=dict.fromkeys(left_out))),
    )
    values: dict[str, float | None] = {}
    source: dict[str, str] = {}
    because: dict[str, str] = {}
    for who, layer in layers:
        values |= layer.settings()
        source |= dict.fromkeys(layer.values(), who)
        because = reasons(because, layer)
    needs, own_budgets = driver.needs(), target.workloads[driver.name].budgets_in.get(experiment.id)
    merged = in_place(as_promised(Budgets.model_validate(values | {"source": source, "because": because}), needs.promised), own_budgets)
    return with_window(merged, needs.window_s, control=experiment.settings.fault != "fault")


def as_promised(budgets: Budgets, promised: float) -> Budgets:
    """Return ``budgets`` with an experiment's availability lowered to what the class promises, if that is less; ``source`` says so."""
    asked = budgets.availability
    if asked is None or asked <= promised or budgets.source["availability"] != "experiment":
        return budgets
    said = f"the SLO, which promises no more; experiment: {asked:g}"
    because = reasons(budgets.because, Bounds(availability=promised))
    return budgets.model_copy(update={"availability": promised, "source": budgets.source | {"availability": said}, "because": because})


def with_window(budgets: Budgets, enough_s: float, *, control: bool) -> Budgets:
    """Name the window of an availability that has none: as :class:`history.budgets.Bounds` says, and long enough to support the SLO.

    A control's own window is lengthened so, too: where nothing is broken, a longer one hides nothing.
    """
    if budgets.availability is None or (budgets.availability_over_s is not None and not control):
        return budgets
    return budgets.model_copy(update={"availability_over_s": max(budgets.availability_window_s, math.ceil(enough_s))})


def in_place(budgets: Budgets, of_target: Bounds | None) -> Budgets:
    """Return ``budgets`` with those that the target names for this one experiment; ``source`` says in the place of what."""
    if of_target is None:
        return budgets
    said = {name: f"target for this experiment, {_was(name, getattr(budgets, name))}" for name in of_target.values()}
    because = reasons(budgets.because, of_target)
    return budgets.model_copy(update={**of_target.settings(), "source": budgets.source | said, "because": because})


def reasons(below: dict[str, str], layer: Bounds) -> dict[str, str]:
    """Return why each budget is this much once ``layer`` has said its own: the reason for a value that was replaced goes with it."""
    replaced = {written(name) for name in layer.values()}
    return {name: why for name, why in below.items() if name not in replaced} | {
        name: why for name, why in layer.because.items() if name in replaced
    }


def _was(name: str, old: float | None) -> str:
    return "which names none" if old is None else f"in the place of {old:g} {BUDGETS[name].unit}"
