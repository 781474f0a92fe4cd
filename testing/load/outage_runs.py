"""Scripted outages under the real load, one after another, and what the verdict makes of each: measured RTO against the script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from history.reader import Run, read_run
from history.schema import EventKind
from history.workloads import Slo
from testing.histories.edits import EventRow, add_events, with_plan
from testing.load.load_runs import finish, scripted_server, start_load, write_load_plan
from verdict import judge

KINDS = ("refuse", "hang", "slow", "500", "truncated", "reset", "wrong")
HOLD_S = 1.0  # as the plan of these runs says
REST_S = 1.5  # between two outages, beyond the hold; and before the first


@dataclass(frozen=True, slots=True)
class Measured:
    """One outage of the script: when it really was (ns UTC), and what the verdict says (s; ``None``: no recovery was seen)."""

    kind: str
    for_s: float
    begin_ns: int
    end_ns: int
    outages: int
    rto_s: float | None
    resolution_s: float
    low_s: float
    high_s: float

    @property
    def truth_s(self) -> float:
        """How long it lasted."""
        return (self.end_ns - self.begin_ns) / 1e9

    @property
    def inside(self) -> bool:
        """Whether the stated interval contains how long it lasted."""
        return self.low_s <= self.truth_s <= self.high_s

    @property
    def error_s(self) -> float:
        """By how much the verdict's RTO is off (infinite: it gives none)."""
        return float("inf") if self.rto_s is None else abs(self.rto_s - self.truth_s)


@dataclass(frozen=True, slots=True)
class Played:
    """A run of several outages. ``slowest_s`` is the longest time that a good answer took since the user asked."""

    run: Run
    outages: tuple[Measured, ...]
    slowest_s: float


def play(folder: Path, outages: Sequence[tuple[str, float]], slo: Slo, **load: object) -> Played:
    """Play ``outages`` (kind, length in s) in this order against a server under load, and measure each.

    What a request that is hit comes to is beyond ``slo`` by construction: a slow answer comes four limits late, and nothing else is a
    right answer. Every request that arrives outside is answered after 5 ms. So each outage ends for users when it ends in the script;
    where one request is answered late by itself it is for the caller to see.
    """
    script, at_s = [], REST_S
    for kind, for_s in outages:
        script.append({"at_s": at_s, "for_s": for_s, "kind": kind, "delay_s": 4 * slo.latency_ms / 1e3})
        at_s += for_s + HOLD_S + REST_S
    with scripted_server(folder / "truth.json", script, "--real-time") as server:
        write_load_plan(folder, server.url, slo, horizon_s=at_s, **load)
        code, _, errors = finish(start_load(folder))
        if code:
            raise RuntimeError(f"the load ended with exit code {code}: {errors}")
    run = read_run(folder)
    scripted = server.truth()["outages"]
    # What is in hand when the next outage begins belongs to that one, so watching ends earlier: a hold and half a rest after this one.
    watched_ns = int((HOLD_S + REST_S / 2) * 1e9)
    measured = tuple(_measure(run, outage, outage["end_ns"] + watched_ns) for outage in scripted)
    took = run.requests.filter(pl.col("valid"), pl.col("done_ns") - pl.col("intended_ns") <= slo.latency_ms * 1e6)
    return Played(run, measured, float(took.select((pl.col("done_ns") - pl.col("intended_ns")).max()).item()) / 1e9)


def _measure(run: Run, outage: dict[str, Any], until_ns: int) -> Measured:
    """Judge ``run`` as if this outage had been its fault, watched until ``until_ns``."""
    rows: list[EventRow] = [(outage["begin_ns"], EventKind.FAULT_START, "script", {}), (until_ns, EventKind.HEAL_START, "", {})]
    verdict = judge(add_events(with_plan(run, experiment={"fault": "fault"}), rows))
    rto, resolution = verdict.measurement("rto"), verdict.measurement("rto_resolution")
    return Measured(
        kind=outage["kind"],
        for_s=outage["for_s"],
        begin_ns=outage["begin_ns"],
        end_ns=outage["end_ns"],
        outages=sum(one.start_ns < until_ns for one in verdict.outages),
        rto_s=None if rto is None or rto.censored else rto.value,
        resolution_s=(resolution and resolution.value) or 0.0,
        low_s=verdict.value("rto_low") or 0.0,
        high_s=high_s if (high_s := verdict.value("rto_high")) is not None else float("inf"),
    )
