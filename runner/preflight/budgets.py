"""The budgets of a run: class default, target, experiment, merged in that order; each keeps who set it."""

from __future__ import annotations

from history.budgets import BUDGETS, Bounds, Budgets, class_defaults
from runner.drivers.driver import Driver
from runner.experiment.experiment import Experiment
from target.target import Target


def merged_budgets(experiment: Experiment, target: Target, driver: Driver) -> Budgets:
    """Merge the budgets of what ``driver`` drives, class default < target < experiment < target for it; ``source`` says who set each.

    Of a run that several workloads drive, each has the experiment's budgets that mean something for its kind.
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
    for who, layer in layers:
        values |= layer.settings()
        source |= dict.fromkeys(layer.values(), who)
    own_budgets = target.workloads[driver.name].budgets_in.get(experiment.id)
    return with_window(in_place(Budgets.model_validate(values | {"source": source}), own_budgets), driver.needs().window_s)


def with_window(budgets: Budgets, enough_s: float) -> Budgets:
    """Name the window of an availability that has none: as :class:`history.budgets.Bounds` says, and long enough to support the SLO."""
    if budgets.availability is None or budgets.availability_over_s is not None:
        return budgets
    return budgets.model_copy(update={"availability_over_s": max(budgets.availability_window_s, enough_s)})


def in_place(budgets: Budgets, of_target: Bounds | None) -> Budgets:
    """Return ``budgets`` with those that the target names for this one experiment; ``source`` says in the place of what."""
    if of_target is None:
        return budgets
    said = {name: f"target for this experiment, {_was(name, getattr(budgets, name))}" for name in of_target.values()}
    return budgets.model_copy(update={**of_target.settings(), "source": budgets.source | said})


def _was(name: str, old: float | None) -> str:
    return "which names none" if old is None else f"in the place of {old:g} {BUDGETS[name].unit}"
