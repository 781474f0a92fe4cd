"""What users asked for and got in a run of the report's tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from history.schema import REQUESTS, SCHEDULE, in_columns
from testing.histories.sample_plan import BASE_NS, BASELINE_S, REPLICAS, Scenario

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]
ERRORS = {
    "refused": "ConnectionRefusedError: [Errno 111] Connection refused by 10.96.0.17:80",
    "hang": "TimeoutError: no answer within 4 s (request sent, nothing received)",
    "slow": "",
    "503": "HTTP 503 Service Unavailable: no server is available to handle this request",
}


def traffic(s: Scenario, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return (schedule, requests): Poisson arrivals, log-normal latencies, bad ones where ``s.impacts`` says so."""
    rng = np.random.default_rng(seed)
    horizon_s = BASELINE_S + s.observed_s
    count = int(s.rate_rps * horizon_s)
    offset_s = np.sort(rng.uniform(0, horizon_s, count))
    stream = rng.random(count) < 0.3
    latency_s = np.minimum(rng.lognormal(np.log(0.045), 0.35, count), 0.4) + s.send_lag_ms / 1e3
    impact = np.full(count, -1)
    for index, hit in enumerate(s.impacts):
        end_s = np.inf if hit.end_s is None else hit.end_s
        inside = (offset_s - BASELINE_S >= hit.start_s) & (offset_s - BASELINE_S < end_s)
        impact[inside & (rng.random(count) < hit.bad_share)] = index
    return _schedule(offset_s, stream), _requests(s, offset_s, stream, latency_s, impact)


def _schedule(offset_s: Floats, stream: Bools) -> pl.DataFrame:
    count = len(offset_s)
    columns = {"request_id": np.arange(count), "offset_ns": (offset_s * 1e9).astype(np.int64), "stream": stream}
    rest = {"prompt_id": np.arange(count) % 50, "max_tokens": np.full(count, 8), "worker": np.zeros(count, np.int16)}
    return in_columns(pl.DataFrame({**columns, **rest}), SCHEDULE)


def _requests(s: Scenario, offset_s: Floats, stream: Bools, latency_s: Floats, impact: Ints) -> pl.DataFrame:
    kinds = np.array([*(hit.kind for hit in s.impacts), "none"])[impact]  # -1: the last one
    intended_ns = BASE_NS + (offset_s * 1e9).astype(np.int64)
    frame = pl.DataFrame(
        {
            "request_id": np.arange(len(offset_s)),
            "intended_ns": intended_ns,
            "sent_ns": intended_ns + int(s.send_lag_ms * 1e6),
            "done_ns": intended_ns + (_lasting_s(s, kinds, latency_s) * 1e9).astype(np.int64),
            "kind": kinds,
            "stream": stream,
        }
    )
    pod = pl.Series("pod", np.array(REPLICAS)[np.arange(len(offset_s)) % 3])
    return in_columns(frame.select(*_answers(), pod), REQUESTS).sort("done_ns")


def _lasting_s(s: Scenario, kinds: Texts, latency_s: Floats) -> Floats:
    """Return how long each request takes, from when the user asked."""
    same = np.ones_like(latency_s)
    lasting_s = {"refused": (0.012 + s.send_lag_ms / 1e3) * same, "hang": 4.0 * same, "503": 0.014 * same, "slow": latency_s + 1.4}
    return np.select([kinds == kind for kind in lasting_s], list(lasting_s.values()), latency_s)


def _answers() -> list[pl.Expr]:
    """Return the columns of the requests' table, from what was asked and what kind of answer came."""
    ok = ~pl.col("kind").is_in(["refused", "hang", "503"])
    return [
        pl.col("request_id", "intended_ns", "sent_ns", "done_ns"),
        pl.lit(0).alias("attempt"),
        pl.when(ok).then(pl.col("sent_ns") + (pl.col("done_ns") - pl.col("sent_ns")) // 3).alias("first_byte_ns"),
        pl.when(ok).then(pl.lit("ok")).otherwise(pl.lit("fail")).alias("outcome"),
        pl.when(ok).then(pl.lit(True)).alias("valid"),
        ok.alias("complete"),
        pl.when(pl.col("stream") & ok).then(pl.lit(12.0)).alias("max_gap_ms"),
        pl.when(ok).then(pl.lit(200)).when(pl.col("kind") == "503").then(pl.lit(503)).alias("status"),
        pl.col("kind").replace_strict(ERRORS, default=None, return_dtype=pl.String()).replace("", None).alias("error"),
        pl.lit("http://127.0.0.1:8080").alias("endpoint"),
        pl.lit(8).alias("tokens"),
        pl.lit("w0").alias("worker"),
    ]
