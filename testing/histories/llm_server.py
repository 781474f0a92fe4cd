"""Synthetic runs of a language model's server: streams of seconds, of which dozens are under way when something happens to all of them.

First token after 0.3 to 2 s, a token each 20 to 50 ms, 200 to 600 tokens. When it was over is known from how it was made.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from history.budgets import Budgets
from history.reader import Run
from history.workloads import Slo
from testing.histories.edits import on_every_replica, with_plan
from testing.histories.truth import World, build
from testing.histories.truth_frames import FAULT_NS, Floats

SLO = Slo(ratio=0.95, latency_ms=40_000, ttft_ms=3_000, max_gap_ms=1_000)
TIMEOUT_S, BASELINE_S, HOLD_S, TAIL_S = 120.0, 130.0, 45.0, 30.0
REFUSED_S = 0.002


def llm_run(
    kind: Literal["refuse", "freeze", "cut", "none"],
    lasts_s: float = 0.0,
    *,
    rate_rps: float = 2.0,
    seed: int = 1,
    slo: Slo = SLO,
    rto_s: float = 60.0,
    quiet_s: float = 0.0,
) -> Run:
    """Return a run in which the server refuses, stands still or (at the fault) cuts what is under way, and was over after ``lasts_s``.

    ``quiet_s``: nobody asks for so long after the fault.
    """
    watched_s = lasts_s + HOLD_S + TAIL_S
    world = World(rate_rps=rate_rps, seed=seed, ratio=slo.ratio, baseline_s=BASELINE_S, hold_s=HOLD_S, watched_s=watched_s, replaced=False)
    run = build(world).run
    run = on_every_replica(with_plan(run, slo=slo, budgets=Budgets(rto_s=rto_s), load={"timeout_s": TIMEOUT_S}))
    at_s = (run.requests["intended_ns"].to_numpy() - FAULT_NS) / 1e9
    asked = (at_s < 0) | (at_s >= quiet_s)
    rows = _answered(run.requests.filter(asked), at_s[asked], kind, lasts_s, np.random.default_rng(seed))
    schedule = run.schedule.filter(run.schedule["request_id"].is_in(rows["request_id"].implode())).with_columns(stream=pl.lit(value=True))
    rows = rows.sort("done_ns", maintain_order=True)
    return Run(path=run.path, plan=run.plan, requests=rows, events=run.events, samples=run.samples, schedule=schedule)


def _answered(rows: pl.DataFrame, at_s: Floats, kind: str, lasts_s: float, rng: np.random.Generator) -> pl.DataFrame:
    count = len(at_s)
    first_s, token_s, tokens = rng.uniform(0.3, 2, count), rng.uniform(0.02, 0.05, count), rng.integers(200, 601, count)
    stop_s = lasts_s if kind == "freeze" else 0.0
    first, done = _after(at_s, first_s, stop_s), _after(at_s, first_s + tokens * token_s, stop_s)
    struck = (at_s < 0) & (first < 0) & (done > 0)  # streams that had begun
    refused = (kind == "refuse") & (at_s >= 0) & (at_s < lasts_s)
    cut = (kind == "cut") & struck
    gap_s = np.where((kind == "freeze") & struck, stop_s + token_s, token_s)
    gap_end = np.where((kind == "freeze") & struck, stop_s + token_s * rng.uniform(0, 1, count), first + token_s)
    done = np.where(refused, at_s + REFUSED_S, np.where(cut, rng.uniform(0.001, 0.05, count), done))
    served = pl.Series(~refused)
    return rows.with_columns(
        pl.when(served).then(_ns(first)).alias("first_byte_ns"),
        _ns(done).alias("done_ns"),
        pl.Series("outcome", np.where(refused, "fail", np.where(cut, "unknown", "ok"))).cast(rows.schema["outcome"]),
        pl.lit(None, pl.Boolean).alias("valid"),
        pl.Series("complete", ~cut),
        pl.when(served).then(pl.Series(gap_s * 1e3)).alias("max_gap_ms"),
        pl.when(served).then(_ns(gap_end)).alias("gap_end_ns"),
        pl.when(served).then(pl.lit(200)).otherwise(pl.lit(503)).cast(pl.Int16).alias("status"),
        pl.lit(None, pl.String).alias("pod"),
        pl.Series("connection", np.arange(count)),
    )


def _after(at_s: Floats, work_s: Floats, stop_s: float) -> Floats:
    """Return when work that is asked for at ``at_s`` is done by a server that stands still in [0, ``stop_s``)."""
    began = np.where((at_s >= 0) & (at_s < stop_s), stop_s, at_s)
    return began + work_s + np.where((at_s < 0) & (at_s + work_s > 0), stop_s, 0.0)


def _ns(at_s: Floats) -> pl.Series:
    return pl.Series(FAULT_NS + np.rint(at_s * 1e9).astype(np.int64))
