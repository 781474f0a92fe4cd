"""Sets of synthetic runs: one world for every combination, and worlds drawn at random."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from testing.histories.truth import Hit, World


def set_of(rates: tuple[float, ...], lengths_s: tuple[float, ...], shares: tuple[float, ...], seed: int = 1) -> list[World]:
    """Return a world for every combination of rate, length and share: failing, slow and hanging in turn, Poisson and constant."""
    kinds: tuple[Literal["fail", "slow", "hang"], ...] = ("fail", "slow", "hang")
    worlds = []
    for number, (rate, length, share) in enumerate((r, n, s) for r in rates for n in lengths_s for s in shares):
        kind = kinds[number % 3] if share == 1 or number % 3 < 2 else "fail"
        start = 0.05 + 0.4 * ((number * 7) % 10) / 10
        longer = length + (0.25 if kind == "hang" else 0.0)  # a hang hurts one SLO less than it lasts
        world = World(hits=(Hit(start, longer, share, kind),), rate_rps=rate, seed=seed + number, hold_s=max(10.0, 320 / rate))
        worlds.append(replace(world, baseline_s=max(16.0, 330 / rate), arrivals="poisson" if number % 2 else "constant"))
    return worlds


def compound_set(count: int, seed: int = 1) -> list[World]:
    """Return worlds with relapses, second faults, spikes, several workers and a load whose clock is off, drawn at random."""
    rng = np.random.default_rng(seed)
    worlds = []
    for number in range(count):
        first = Hit(float(rng.uniform(0.05, 1)), float(rng.uniform(0.5, 8)), float(rng.choice([0.4, 1.0])), rng.choice(["fail", "slow"]))
        again_s = first.end_s + float(rng.choice([rng.uniform(2, 8), rng.uniform(13, 25)]))
        second = Hit(again_s, float(rng.uniform(0.5, 8)), float(rng.choice([0.4, 1.0])), rng.choice(["fail", "slow"]))
        fault_s = again_s - 0.05 if number % 2 else None
        offset_s = float(rng.uniform(-0.02, 0.02)) if number % 3 == 0 else 0.0
        world = World(hits=(first, second), rate_rps=float(rng.choice([40.0, 100.0, 400.0])), seed=seed + number, spikes=1e-4)
        worlds.append(replace(world, second_fault_s=fault_s, clock_offset_s=offset_s, workers=1 + number % 3, streams=0.3))
    return worlds
