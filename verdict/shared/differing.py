"""How many answers differ from the known ones, before the fault and after it.

Engines are not batch-invariant: with other neighbours in its batch, a greedy answer may turn out otherwise. So a class may allow a share of
answers to differ, and a fault must not raise it.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from history.kinds import REQUESTS
from verdict.case import Case
from verdict.inputs.goodness import acknowledged, answered_wrong
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.statistics import CONFIDENCE, chance_of_as_many, share_interval
from verdict.words import count, percent

NONE_COMPARED = Value(None, "no answer could be compared with a known one")


class Compared(NamedTuple):
    """So many answers differ ``of`` those that could be compared with the known ones."""

    differ: int
    of: int

    @property
    def share(self) -> float:
        """The share that differs; 0 of none."""
        return self.differ / self.of if self.of else 0.0

    @property
    def text(self) -> str:
        """Return it for a person: ``3 of 1,200 answers (0.25 %)``."""
        return f"{self.differ:,} of {count(self.of, 'answer')} ({percent(self.share)})"

    def surely_more_than(self, share: float) -> bool:
        """Tell whether the true share is above ``share`` with 95 % confidence."""
        return bool(self.of) and share_interval(self.differ, self.of)[0] > share

    def raised_from(self, before: Compared) -> bool:
        """Tell whether the share is higher than ``before`` by more than chance explains in 1 of 20 cases."""
        return chance_of_as_many(*before, *self) < 1 - CONFIDENCE


def before_fault(case: Case) -> Compared:
    """Return how many acknowledged answers differ of those that were asked for in the baseline."""
    start_ns, end_ns = case.baseline_ns or (0, 0)
    return _compared(case, pl.col("intended_ns").is_between(start_ns, end_ns, closed="left"))


def after_fault(case: Case) -> Compared | None:
    """Return how many acknowledged answers differ of those that came after t_fault; ``None``: there was no fault."""
    if case.recovery is None:
        return None
    return _compared(case, pl.col("done_ns") >= case.recovery.fault_ns)


def _compared(case: Case, which: pl.Expr) -> Compared:
    known = which & acknowledged() & pl.col("valid").is_not_null()
    differ, of = case.run.requests.select((known & answered_wrong()).sum().alias("differ"), known.sum().alias("of")).row(0)
    return Compared(differ, of)


@measure("ratio", REQUESTS)
def differing_before(case: Case) -> Value:
    """Share of the baseline's acknowledged answers that differ from the known ones, of those that are known. Source: requests."""
    found = before_fault(case)
    return Value(found.share) if found.of else NONE_COMPARED


@measure("ratio", REQUESTS)
def differing_after(case: Case) -> Value:
    """Share of the acknowledged answers after t_fault that differ from the known ones, of those that are known. Source: requests."""
    found = after_fault(case)
    return NO_FAULT if found is None else Value(found.share) if found.of else NONE_COMPARED
