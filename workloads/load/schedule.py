"""The schedule of arrivals: decided by the seed alone, and written before the load starts.

It is what was promised to users: a scheduled request without a row in the history is unknown, never forgotten.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from history.errors import ConfigError
from history.prompts import WHOLE, Prompt, fitting_prompts
from history.schema import SCHEDULE
from history.workloads import Load, Mix

BLOCK = 4096  # gaps drawn at once; any size gives the same arrivals

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def make_schedule(load: Load, prompts: Sequence[Prompt]) -> pl.DataFrame:
    """Return the arrivals of ``load`` up to its horizon; columns of :data:`history.schema.SCHEDULE`, sorted by ``offset_ns``.

    Times, kinds, prompts and lengths come from random streams of their own, all seeded by ``load.seed``. So the same seed gives the same
    schedule, and a longer horizon only adds to its end. Requests are dealt to workers in turn.

    Raises:
        ConfigError: no prompt has a length that the mix asks for, or a right answer is shorter than the answers that it asks for.

    """
    times, kinds, texts, lengths = (np.random.default_rng(seed) for seed in np.random.SeedSequence(load.seed).spawn(4))
    offset_ns = (
        poisson_ns(load.rate_rps, load.horizon_s, times) if load.arrivals == "poisson" else constant_ns(load.rate_rps, load.horizon_s)
    )
    count = len(offset_ns)
    weights = np.array([mix.weight for mix in load.mix])
    kind = np.searchsorted(np.cumsum(weights)[:-1] / weights.sum(), kinds.random(count), side="right")
    columns: dict[str, object] = {
        "request_id": np.arange(count),
        "offset_ns": offset_ns,
        "stream": np.array([mix.stream for mix in load.mix])[kind],
        "prompt_id": _draw_prompts(load, prompts, kind, texts.random(count)),
        "max_tokens": _draw_lengths(load, kind, lengths.random(count)),
        "worker": np.arange(count) % load.workers,
    }
    return pl.DataFrame(columns).select(pl.col(name).cast(kind) for name, kind in SCHEDULE.items())


def poisson_ns(rate_rps: float, horizon_s: float, rng: np.random.Generator) -> Ints:
    """Return the arrivals (ns) of a Poisson process of ``rate_rps`` in [0, ``horizon_s``)."""
    blocks, reached_s = [], 0.0
    while reached_s < horizon_s:
        blocks.append(reached_s + np.cumsum(rng.exponential(1 / rate_rps, BLOCK)))
        reached_s = float(blocks[-1][-1])
    return _before(np.concatenate(blocks), horizon_s)


def constant_ns(rate_rps: float, horizon_s: float) -> Ints:
    """Return arrivals (ns) 1/``rate_rps`` apart, the first at 0, in [0, ``horizon_s``)."""
    return _before(np.arange(math.ceil(rate_rps * horizon_s)) / rate_rps, horizon_s)


def _before(times_s: Floats, horizon_s: float) -> Ints:
    times_ns = np.rint(times_s * 1e9).astype(np.int64)
    return np.asarray(times_ns[times_ns < horizon_s * 1e9])


def _draw_prompts(load: Load, prompts: Sequence[Prompt], kind: Ints, uniform: Floats) -> Ints:
    drawn = np.zeros(len(kind), dtype=np.int64)
    for index, mix in enumerate(load.mix):
        fitting, mine = _to_draw(index, mix, load, prompts), kind == index
        drawn[mine] = fitting[np.asarray(uniform[mine] * len(fitting), dtype=np.int64)]
    return drawn


def _to_draw(index: int, mix: Mix, load: Load, prompts: Sequence[Prompt]) -> Ints:
    """Return the prompts of a kind of request, whose right answers, where they are known, are long enough."""
    fitting = fitting_prompts(prompts, mix.prompt_chars, f"mix {index}", load.prompts)
    known = min((most for number in fitting if (most := prompts[number].most_tokens) is not None), default=mix.max_tokens[1])
    if known < mix.max_tokens[1]:
        raise ConfigError(
            f"mix {index}: asks for up to {mix.max_tokens[1]} tokens, but a right answer in {load.prompts} has only {known}: "
            "more could not be checked; lower max_tokens, lengthen the completions, or add "
            f'"finish_reason": "{WHOLE}" where the answer ends there by itself'
        )
    return np.array(fitting, dtype=np.int64)


def _draw_lengths(load: Load, kind: Ints, uniform: Floats) -> Ints:
    low, high = np.array([mix.max_tokens for mix in load.mix], dtype=np.int64).T
    return np.asarray(low[kind] + uniform * (high - low + 1)[kind], dtype=np.int64)


def write_schedule(schedule: pl.DataFrame, run_dir: Path) -> Path:
    """Write ``schedule.parquet`` whole or not at all and return its path."""
    final, part = run_dir / "schedule.parquet", run_dir / f"schedule.parquet.part-{os.getpid()}"
    schedule.write_parquet(part)
    part.rename(final)
    return final
