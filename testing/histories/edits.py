"""Edits of recorded runs: what a broken clock, load, probe or disk would have left instead."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import polars as pl

from history.reader import Run
from history.schema import EVENTS, SAMPLES, EventKind
from testing.histories.truth_frames import FAULT_NS
from testing.histories.truth_plan import REPLICAS

Detail = dict[str, Any]
EventRow = tuple[int, EventKind, str, Detail]
"""When (ns UTC), what, to what, and what is said of it."""


def at(seconds: float) -> int:
    """Return ns UTC of ``seconds`` after the fault."""
    return FAULT_NS + round(seconds * 1e9)


def asked(start_s: float, end_s: float) -> pl.Expr:
    """Select requests that users made in [start_s, end_s) after the fault."""
    return pl.col("intended_ns").is_between(at(start_s), at(end_s), closed="left")


def with_plan(run: Run, **fields: object) -> Run:
    """Return ``run`` with fields of its plan, or of its workload's, changed; a dict changes fields of a part: ``budgets={"rto_s": 1}``."""
    plan = run.plan
    of_workload = {name: value for name, value in fields.items() if name not in type(plan).model_fields}
    first = plan.first.model_copy(update={name: _changed(getattr(plan.first, name), value) for name, value in of_workload.items()})
    of_plan = {name: _changed(getattr(plan, name), value) for name, value in fields.items() if name not in of_workload}
    return replace(run, plan=plan.model_copy(update={"workloads": (first, *plan.workloads[1:])} | of_plan))


def _changed(part: Any, value: object) -> object:
    return part.model_copy(update=value) if isinstance(value, dict) and not isinstance(part, dict) else value


def on_every_replica(run: Run) -> Run:
    """Return ``run`` with a fault on every replica, not on the first alone."""
    planned = with_plan(run, targets=tuple(run.plan.targets[0].model_copy(update={"name": name}) for name in REPLICAS))
    return change_details(planned, EventKind.FAULT_START, lambda *_: {"targets": [f"Pod/{name}" for name in REPLICAS]})


def change_rows(run: Run, where: pl.Expr, **columns: object) -> Run:
    """Return ``run`` with columns of some of its requests changed."""
    schema = run.requests.schema
    made = [
        pl.when(where).then(value if isinstance(value, pl.Expr) else pl.lit(value)).otherwise(pl.col(name)).cast(schema[name]).alias(name)
        for name, value in columns.items()
    ]
    return replace(run, requests=run.requests.with_columns(made))


def drop_rows(run: Run, where: pl.Expr) -> Run:
    """Return ``run`` without some of its requests."""
    return replace(run, requests=run.requests.filter(~where))


def drop_events(run: Run, *kinds: EventKind, where: pl.Expr | None = None) -> Run:
    """Return ``run`` without its events of ``kinds`` (that ``where`` selects)."""
    gone = pl.col("kind").is_in([kind.value for kind in kinds]) & (pl.lit(value=True) if where is None else where)
    return replace(run, events=run.events.filter(~gone))


def add_events(run: Run, rows: Iterable[EventRow]) -> Run:
    """Return ``run`` with more events."""
    more = [{"t_ns": t_ns, "kind": kind.value, "object": name, "detail": json.dumps(detail)} for t_ns, kind, name, detail in rows]
    return replace(run, events=pl.concat([run.events, pl.DataFrame(more, schema=EVENTS)]).sort("t_ns", maintain_order=True))


def add_event(run: Run, at_s: float, kind: EventKind, name: str = "", /, **detail: object) -> Run:
    """Return ``run`` with one more event."""
    return add_events(run, [(at(at_s), kind, name, detail)])


def change_details(run: Run, kind: EventKind, change: Callable[[int, Detail], Detail], name: str | None = None) -> Run:
    """Return ``run`` with the details of its events of ``kind`` (of object ``name``) replaced by ``change(t_ns, detail)``."""
    rows = [
        row | {"detail": json.dumps(change(row["t_ns"], json.loads(row["detail"])))}
        if row["kind"] == kind.value and name in {None, row["object"]}
        else row
        for row in run.events.iter_rows(named=True)
    ]
    return replace(run, events=pl.DataFrame(rows, schema=EVENTS))


def move_events(run: Run, kind: EventKind, by_s: float, where: pl.Expr | None = None) -> Run:
    """Return ``run`` with events of ``kind`` moved in time."""
    chosen = (pl.col("kind") == kind.value) & (pl.lit(value=True) if where is None else where)
    moved = pl.when(chosen).then(pl.col("t_ns") + round(by_s * 1e9)).otherwise(pl.col("t_ns"))
    return replace(run, events=run.events.with_columns(moved))


def drop_samples(run: Run, series: str, where: pl.Expr | None = None) -> Run:
    """Return ``run`` without the samples of ``series`` (that ``where`` selects)."""
    return replace(run, samples=run.samples.filter(~((pl.col("series") == series) & (pl.lit(value=True) if where is None else where))))


def change_samples(run: Run, series: str, value: pl.Expr) -> Run:
    """Return ``run`` with the values of ``series`` replaced."""
    changed = pl.when(pl.col("series") == series).then(value).otherwise(pl.col("value")).cast(SAMPLES["value"])
    return replace(run, samples=run.samples.with_columns(changed.alias("value")))
