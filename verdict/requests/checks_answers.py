"""The check ``rpo_requests``: whether what the platform acknowledged was right, as far as the right answers are known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

from history.kinds import REQUESTS
from history.result import Check
from verdict.case import Case
from verdict.requests.answers import answers_acknowledged, answers_unchecked, requests_lost
from verdict.shared.differing import Compared, after_fault, before_fault
from verdict.shared.registry import Role, check
from verdict.shared.results import NOTHING_INJECTED, Figures, failed, inconclusive, left, passed
from verdict.statistics import arrivals_needed
from verdict.words import count, percent

NAME = "rpo_requests"


@check(REQUESTS, Role.OWN, budget=NAME)
def rpo_requests(case: Case) -> Check | None:
    """Check the number of acknowledged answers that were lost against its budget.

    Where the class says that right answers are unknown, nothing is checked, and the budget is left out of the verdict. Where it allows a
    share of answers to differ, that share must not be exceeded, nor raised by the fault above that of the baseline (95 % confidence).
    """
    budget = case.workload.budgets.rpo_requests
    if budget is None:
        return None
    if case.answers.unknown:
        return _nothing_else(case)
    if case.recovery is None:
        return inconclusive(NAME, NOTHING_INJECTED, budget=budget, unit="answers")
    return _no_worse(case, budget) if case.answers.may_differ else _none_lost(case, budget)


def _nothing_else(case: Case) -> Check | None:
    """Return that nothing was judged, if this was the only budget: a verdict must rest on one."""
    others = [name for name in case.workload.budgets.values() if name != NAME]
    if others or case.control:
        return None
    return inconclusive(
        NAME,
        "The only budget is about the content of answers, and the right answers are not known: "
        "set another budget, or give every prompt its completion.",
    )


def _none_lost(case: Case, budget: int) -> Check:
    lost, served = int(requests_lost(case).value or 0), int(answers_acknowledged(case).value or 0)
    figures = Figures(measured=lost, budget=budget, unit="answers", margin=left(lost, budget))
    gone = f"{count(lost, 'acknowledged answer was', 'acknowledged answers were')} lost (complete, with a status of 2xx, and wrong)"
    if lost > budget:
        return failed(NAME, f"{gone}; the budget is {budget}.", **figures)
    if doubt := next(_unknown(case), ""):
        return inconclusive(NAME, doubt, **figures)
    kept = gone if lost else "No acknowledged answer was lost"
    return passed(NAME, f"{kept}: {served - lost:,} were complete and right; the budget is {budget}.", **figures)


def _unknown(case: Case) -> Iterator[str]:
    """Yield why nothing can be said about lost answers."""
    served, unchecked = int(answers_acknowledged(case).value or 0), int(answers_unchecked(case).value or 0)
    if not served:
        yield "No answer was acknowledged after the fault, so none could be kept or lost."
    if unchecked:
        whose = f"{unchecked:,} of {count(served, 'acknowledged answer')}"
        yield (
            f"{whose} could not be checked, because the right answer is not known as far as it went: give every prompt its completion, "
            "long enough for max_tokens, or write answers: unknown."
        )


def _no_worse(case: Case, budget: int) -> Check:
    """Judge a class whose answers may differ at any time."""
    after, before, allowed = after_fault(case) or Compared(0, 0), before_fault(case), case.answers.may_differ
    most = budget + math.floor(allowed * after.of)
    figures = Figures(measured=after.differ, budget=most, unit="answers", margin=left(after.differ, most))
    more = f", and the budget {budget:,} more" if budget else ""
    said = f"After the fault {after.text} differ from the known ones, before it {before.text}; the class allows {percent(allowed)}{more}"
    if after.differ > budget and after.raised_from(before):
        return failed(NAME, f"{said}. The fault raised it: chance explains such a difference in less than 5 % of cases.", **figures)
    if after.differ > budget and after.surely_more_than(allowed):
        return failed(NAME, f"{said}. That is more than is allowed, with 95 % confidence.", **figures)
    doubt = next(chain(_unknown(case), _too_few(case, before, after, most)), "")
    return inconclusive(NAME, f"{said}. {doubt}", **figures) if doubt else passed(NAME, f"{said}. The fault did not raise it.", **figures)


def _too_few(case: Case, before: Compared, after: Compared, most: int) -> Iterator[str]:
    """Yield why answers that differ are not shown to be no more than before and than allowed."""
    needed = arrivals_needed(1 - case.answers.may_differ)
    if min(before.of, after.of) < needed:
        yield f"To say so takes {needed:,} of them before and after: raise the rate, or hold longer."
    if after.differ > most:
        yield "That is more than is allowed, and may be chance: raise the rate or hold longer to tell, or allow more."
