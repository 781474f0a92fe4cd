"""What stores and queues kept of what they acknowledged, from the run's ledgers (as Jepsen's total-queue and set-full account)."""

from __future__ import annotations

import polars as pl

from verdict.case import Case
from verdict.shared.registry import Value, measure

ACKNOWLEDGED, FOUND = pl.col("acknowledged_ns").is_not_null(), pl.col("found")


@measure("items")
def ledger_lost(case: Case) -> Value:
    """How many acknowledged items were not there at the end, in all ledgers: the RPO of stores and queues. Source: ledgers."""
    return _count(case, ACKNOWLEDGED & (FOUND == 0))


@measure("items")
def ledger_duplicated(case: Case) -> Value:
    """How many more times items were there at the end than once. Source: ledgers."""
    return _count(case, (FOUND - 1).clip(lower_bound=0))


@measure("items")
def ledger_unexpected(case: Case) -> Value:
    """How many items were there at the end that nobody had offered. Source: ledgers."""
    return _count(case, pl.col("offered_ns").is_null() & (FOUND > 0))


@measure("items")
def ledger_unknown(case: Case) -> Value:
    """How many acknowledged items were never looked for at the end: they may be lost. Source: ledgers."""
    return _count(case, ACKNOWLEDGED & FOUND.is_null())


def _count(case: Case, wanted: pl.Expr) -> Value:
    if not case.run.ledgers:
        return Value(None, "the run kept no ledger")
    found = [ledger.select(wanted.fill_null(0).sum()).item() for ledger in case.run.ledgers.values()]
    return Value(float(sum(number or 0 for number in found)))
