"""Synthetic runs of long streamed answers, some of which the fault cuts or stalls while they are under way.

They are made of a world of :mod:`testing.histories.truth`; who is hurt follows from the construction, never from the code that is tested.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from history.reader import Run
from testing.histories.edits import at, with_plan
from testing.histories.truth import World, build
from testing.histories.truth_plan import REPLICAS

CUT_AFTER_S = 0.05
EVERYONE = pl.lit(value=True)
ON_TARGET = pl.col("pod") == REPLICAS[0]


@dataclass(frozen=True, slots=True)
class Streams:
    """Streams of ``lengths_s`` (uniform) at ``rate_rps``; at the fault ``kind`` happens to those under way that ``whom`` selects.

    ``latency_s`` limits answers that are not streamed, ``ttft_s`` and ``gap_s`` streams. ``stall_s``: how long a stalled one is silent.
    """

    rate_rps: float = 3.0
    lengths_s: tuple[float, float] = (8.0, 16.0)
    latency_s: float = 1.0
    ttft_s: float = 0.7
    gap_s: float = 0.7
    ratio: float = 0.99
    kind: Literal["cut", "stall", "nothing"] = "cut"
    whom: pl.Expr = EVERYONE
    stall_s: float = 8.0
    seed: int = 1
    rto_budget_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """The run, and what happened to those under way by construction."""

    run: Run
    under_way: int
    hurt: int
    hurt_on_target: int
    asked_after: int  # within a minute


def recorded(streams: Streams) -> Recorded:
    """Return the run of ``streams``: whoever asks after the fault is served in time."""
    hold_s = (400 if streams.ratio > 0.95 else 100) / streams.rate_rps + streams.lengths_s[1]
    world = World(
        rate_rps=streams.rate_rps, streams=1.0, ratio=streams.ratio, slo_s=streams.ttft_s, seed=streams.seed, spikes=0.0,
        baseline_s=hold_s, hold_s=hold_s, rto_budget_s=streams.rto_budget_s,
    )  # fmt: skip
    run = with_plan(
        build(world).run,
        slo={"latency_ms": streams.latency_s * 1e3, "ttft_ms": streams.ttft_s * 1e3, "max_gap_ms": streams.gap_s * 1e3},
        load={"timeout_s": 4 * streams.lengths_s[1]},
    )
    lasts_ns = np.random.default_rng(streams.seed).uniform(*streams.lengths_s, run.requests.height) * 1e9
    rows = run.requests.with_columns(done_ns=pl.col("first_byte_ns") + pl.Series(lasts_ns).cast(pl.Int64), tokens=pl.lit(200, pl.Int32))
    caught = (pl.col("intended_ns") < at(0)) & (pl.col("done_ns") >= at(0))
    hurt = caught & streams.whom & pl.lit(streams.kind != "nothing")
    told = rows.select(
        caught.sum().alias("under_way"), hurt.sum().alias("hurt"), (hurt & ON_TARGET).sum().alias("hurt_on_target"),
        pl.col("intended_ns").is_between(at(0), at(60), closed="left").sum().alias("asked_after"),
    )  # fmt: skip
    rows = _cut(rows, hurt) if streams.kind == "cut" else _stalled(rows, hurt, streams.stall_s)
    return Recorded(replace(run, requests=rows.sort("done_ns", maintain_order=True)), **told.row(0, named=True))


def _cut(rows: pl.DataFrame, hurt: pl.Expr) -> pl.DataFrame:
    cut = {
        "done_ns": pl.lit(at(CUT_AFTER_S)), "outcome": pl.lit("unknown"), "complete": pl.lit(value=False), "valid": pl.lit(None),
        "error": pl.lit("Truncated: closed before the end of the answer"),
    }  # fmt: skip
    return rows.with_columns(_where(rows, hurt, name, value) for name, value in cut.items())


def _stalled(rows: pl.DataFrame, hurt: pl.Expr, stall_s: float) -> pl.DataFrame:
    stalled = {
        "done_ns": pl.col("done_ns") + round(stall_s * 1e9), "max_gap_ms": pl.lit(stall_s * 1e3), "gap_end_ns": pl.lit(at(stall_s)),
    }  # fmt: skip
    return rows.with_columns(_where(rows, hurt, name, value) for name, value in stalled.items())


def _where(rows: pl.DataFrame, chosen: pl.Expr, name: str, value: pl.Expr) -> pl.Expr:
    return pl.when(chosen).then(value).otherwise(pl.col(name)).cast(rows.schema[name]).alias(name)
