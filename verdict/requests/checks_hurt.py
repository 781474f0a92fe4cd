"""Checks of how many users were hurt: ``availability``, ``bad_seconds`` and ``interrupted``."""

from __future__ import annotations

import math

from history.kinds import REQUESTS
from history.plan import NAMESPACE
from history.result import Check
from verdict.case import Case
from verdict.inputs.attempts import Bools
from verdict.requests import reasons
from verdict.requests.availability import counted, missing_s, still_to_come, window_s
from verdict.requests.interrupted import Groups, broken_off, by_themselves, groups, hurt, more_than_on_targets, usually_broken_off
from verdict.shared.registry import Role, check
from verdict.shared.results import NOTHING_INJECTED, Figures, failed, inconclusive, left, passed
from verdict.shared.window import bad_of_fault, of_fault, under_way
from verdict.statistics import arrivals_needed
from verdict.words import count, listed, percent, plain, seconds

NEARLY_NONE = 1e-9


@check(REQUESTS, Role.RESTING, budget="availability", felt=True)
def availability(case: Case) -> Check | None:
    """Check the share of good requests, under way at the fault or asked in the window after it, against its budget.

    If the window was not watched to its end, the check is decided only if what is missing could not change it.
    """
    budget, good = case.workload.budgets.availability, counted(case)
    if budget is None:
        return None
    if case.recovery is None or not len(good):
        none = NOTHING_INJECTED if case.recovery is None else "Nobody asked for anything in the window after the fault."
        return inconclusive("availability", none, budget=budget)
    share = float(good.mean())
    margin = 1 - (1 - share) / (1 - budget) if budget < 1 else None
    figures = Figures(measured=share, budget=budget, unit="ratio", margin=margin, resolution=1 / len(good))
    caught = f", {len(under_way(case)):,} of them under way then," if len(under_way(case)) else ""
    window = f"{percent(share)} of {count(len(good), 'request')} in the {plain(window_s(case))} from the fault on{caught} were good"
    said = f"{window}; the budget is {percent(budget)}."
    if share < budget and not _may_still_be_met(case, good, budget):
        return failed("availability", said, **figures)
    doubt = _availability_doubt(case, good, budget)
    return inconclusive("availability", f"{said} {doubt}", **figures) if doubt else passed("availability", said, **figures)


def _availability_doubt(case: Case, good: Bools, budget: float) -> str:
    least, most = still_to_come(case)
    if missing_s(case) and int(good.sum()) < budget * (len(good) + most):
        return f"But only {seconds(window_s(case) - missing_s(case))} of that were watched, and the rest could have changed it."
    needed = arrivals_needed(budget)
    if len(good) + least >= needed:
        return ""
    rate_rps = case.audit.summary.offered_rps
    longer = f", or budget it over {seconds(needed / rate_rps)}" if rate_rps else ""
    return f"That needs {needed:,} requests to say: raise the rate{longer}."


def _may_still_be_met(case: Case, good: Bools, budget: float) -> bool:
    """Tell whether ``budget`` would be met if all that is still to come, or that a pass needs, had been good."""
    whole = max(len(good) + still_to_come(case)[1], arrivals_needed(budget))
    return len(good) - int(good.sum()) <= (1 - budget) * whole


@check(REQUESTS, Role.RESTING, budget="bad_seconds", felt=True)
def bad_seconds(case: Case) -> Check | None:
    """Check the bad requests of the fault over the offered rate (the measurement bad_seconds) against their budget."""
    budget_s, measured = case.workload.budgets.bad_seconds, reasons.bad_seconds(case)
    if budget_s is None:
        return None
    if measured.value is None:
        none = NOTHING_INJECTED if case.recovery is None else "Nothing was offered, so nothing could be bad."
        return inconclusive("bad_seconds", none, budget=budget_s, unit="s")
    figures = Figures(measured=measured.value, budget=budget_s, unit="s", margin=left(measured.value, budget_s), censored=measured.censored)
    what = reasons.in_words(case, bad_of_fault(case))
    said = f"{what}, as many as are asked in {seconds(measured.value)}; the budget is {plain(budget_s)}."
    if measured.value > budget_s:
        return failed("bad_seconds", said, **figures)
    if measured.censored:
        return inconclusive("bad_seconds", f"{said} But users were not seen to be served again, so there may be more.", **figures)
    return passed("bad_seconds", said, **figures)


@check(REQUESTS, Role.RESTING, budget="interrupted", title="Interrupted", felt=True)
def interrupted(case: Case) -> Check | None:
    """Check which requests under way at the fault were cut, stalled, late or failed, against the budget; without one, against none.

    Those elsewhere (collateral) are always judged. Those on the targets (direct) are judged where the fault is graceful; a kill is allowed
    to cut what it kills, which is counted and said. A graceful fault takes its time: who asks after it struck and is broken off while its
    targets leave is judged, too. What is late, stalled or broken off as often as before the fault is not held against it. Where an answer
    names no pod, it is neither: after a graceful fault that makes no difference; otherwise nothing is concluded if more were hurt than
    were on the targets by their share of the requests before. After a fault that is not graceful, a late answer of another pod that had
    not begun is neither, too, as long as that share explains it: a gateway sends a request anew when its pod does not answer. No check
    where the fault begins with something that hits nothing that runs, such as new pods refused: nobody is interrupted by that.
    """
    if case.recovery is None or case.run.plan.experiment.fault == "none":
        return None
    if any(target.kind == NAMESPACE for target in case.run.plan.targets):
        return None
    allowed, found = case.workload.budgets.interrupted, groups(case)
    later = len(broken_off(case)) if case.run.plan.graceful else 0
    if not len(under_way(case)) and not later:
        none = "No request was under way when the fault struck, so none could be interrupted: raise the rate, or ask for longer answers."
        return None if allowed is None else inconclusive("interrupted", none, budget=allowed, unit="ratio")
    bad, budget = found.bad(case), allowed or 0.0
    asked = len(of_fault(case, case.recovery.watched_ns)) if later else len(under_way(case))
    share, graceful = (len(hurt(case)) + later) / max(1, asked), case.run.plan.graceful or case.control
    figures = Figures(measured=share, budget=budget if graceful else None, unit="ratio")
    said = f"{_hurt_where(case, found, bad)}{_later(later)}; the budget is {_budget(budget, graceful)}."
    if _over(case, found, bad, budget, graceful) or later > usually_broken_off(case) + budget * (asked - len(under_way(case))):
        return failed("interrupted", said, **figures)
    doubt = more_than_on_targets(case, bad) if len(bad.unknown) and not graceful else ""
    return inconclusive("interrupted", f"{said} But {doubt}.", **figures) if doubt else passed("interrupted", said, **figures)


def _over(case: Case, found: Groups, bad: Groups, budget: float, graceful: bool) -> bool:
    """Tell whether more were hurt than may be: elsewhere, and after a graceful fault also on the targets and in all."""
    judged = [(found.elsewhere, bad.elsewhere)]
    if graceful:
        judged += [(found.direct, bad.direct), (under_way(case), hurt(case))]
    return any(len(of_group) - by_themselves(case, group, of_group) > budget * len(group) + NEARLY_NONE for group, of_group in judged)


def _hurt_where(case: Case, found: Groups, bad: Groups) -> str:
    """Return how many of those under way were hurt, and where they were."""
    at_all = count(len(under_way(case)), "answer")
    if not len(hurt(case)):
        return f"None of {at_all} under way at the fault was cut, stalled or late"
    where = ("on its targets", "elsewhere", "of which it is not known where they were")
    parts = [f"{len(part):,} of {len(group):,} {name}" for part, group, name in zip(bad, found, where, strict=True) if len(group)]
    why = reasons.counts(case, hurt(case))
    became = listed((f"{number:,} {reason.word}" for reason, number in why), most=len(why))
    return f"Of {at_all} under way at the fault {count(len(hurt(case)), 'was hurt', 'were hurt')} ({became}): {listed(parts)}"


def _later(number: int) -> str:
    return f", and {count(number, 'answer')} to whoever asked later {'was' if number == 1 else 'were'} broken off" if number else ""


def _budget(budget: float, graceful: bool) -> str:
    allowed = percent(budget) if budget > 0 and not math.isclose(budget, 0) else "none"
    return allowed if graceful else f"{allowed} elsewhere, and those on the targets of such a fault are only counted"
