"""The check ``rto`` of a training job: measured against the budget, with what the reading supports."""

from __future__ import annotations

from collections.abc import Callable

from history.result import Check
from verdict.case import Case
from verdict.inputs.recovery import Recovery
from verdict.shared.results import NOTHING_INJECTED, Figures, failed, inconclusive, left, passed
from verdict.words import plain

Doubt = Callable[[Case, Recovery, float], str]
"""Returns why an RTO that is not over its budget (s) supports no claim; empty if it does."""
NotBack = Callable[[Case, Recovery, Figures, str], Check]
"""Makes the check of a run in which nothing was seen to be back, from its figures and the budget in words."""


def checked_rto(case: Case, served: Callable[[Case, Recovery], str], not_back: NotBack, doubt: Doubt) -> Check | None:
    """Return the check ``rto``, if there is a budget; ``served`` says in words what became of the recovery."""
    budget_s, recovery = case.workload.budgets.rto_s, case.recovery
    if budget_s is None:
        return None
    if recovery is None:
        return inconclusive("rto", NOTHING_INJECTED, budget=budget_s, unit="s")
    fine_s, known = case.resolution_s, recovery.rto_s is not None
    measured_s = recovery.at_least_s if recovery.rto_s is None else recovery.rto_s
    figures = Figures(
        measured=measured_s, budget=budget_s, unit="s", margin=left(measured_s, budget_s), resolution=fine_s, censored=not known
    )
    if not known:
        return not_back(case, recovery, figures, f"the budget is {plain(budget_s)}")
    said = f"{served(case, recovery)}; the budget is {plain(budget_s)}."
    if over(figures):
        return failed("rto", said, **figures)
    why = doubt(case, recovery, budget_s)
    return inconclusive("rto", f"{said} {why}", **figures) if why else passed("rto", said, **figures)


def over(figures: Figures) -> bool:
    """Tell whether what was measured is over its budget by more than it can be read."""
    return (figures["measured"] or 0.0) - (figures["resolution"] or 0.0) > (figures["budget"] or 0.0)


def too_close(case: Case, recovery: Recovery, budget_s: float) -> str:
    """Return that the RTO lies within its resolution of the budget, if it does."""
    return "" if (recovery.rto_s or 0.0) + case.resolution_s <= budget_s else "That is too close to the budget to call."
