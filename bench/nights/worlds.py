"""Synthetic nights with a known truth: experiments whose RTO scatters from run to run, quiet or shifted from some night on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nights.record import Conditions, Night, RunRecord, Value

HALF_WIDTH_S = 0.15
"""Of the interval that is recorded with each RTO: how finely 20 requests/s tell it."""
DAY_NS = 86_400 * 10**9
CONDITIONS = Conditions("staging", "realtime-inference", "offered", "full", "drawn", "digest", {"images of inference": "1"})


@dataclass(frozen=True, slots=True)
class World:
    """How nights go. Each experiment has a median RTO of 3 to 60 s, and a spread σ of single runs, of ``spreads`` of it (lognormal)."""

    seed: int
    experiments: int = 40
    trials: int = 3
    spreads: tuple[float, float] = (0.04, 0.12)

    def nights(self, count: int, shifted: dict[int, float] | None = None, since: int = 0) -> Iterator[Night]:
        """Yield ``count`` nights; from night ``since`` on, experiments of ``shifted`` have an RTO that is larger by so much.

        ``shifted``: experiment -> logarithm of the factor; see :meth:`sigma`.
        """
        rng = np.random.default_rng([self.seed, 1])
        medians, sigmas = self._medians(), self.sigmas()
        for night in range(count):
            noise = rng.normal(size=(self.experiments, self.trials))
            moved = np.array([(shifted or {}).get(i, 0.0) if night >= since else 0.0 for i in range(self.experiments)])
            rto_s = np.exp(np.log(medians)[:, None] + moved[:, None] + sigmas[:, None] * noise)
            yield _night(night, rto_s + rng.uniform(-HALF_WIDTH_S, HALF_WIDTH_S, rto_s.shape) / 2)

    def sigmas(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return the spread of single runs of each experiment, on the logarithm."""
        return np.random.default_rng([self.seed, 2]).uniform(*self.spreads, self.experiments)

    def _medians(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.exp(np.random.default_rng([self.seed, 3]).uniform(np.log(3), np.log(60), self.experiments))


def _night(number: int, rto_s: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Night:
    name, began_ns = f"20260101-{number:06d}-000000", (number + 1) * DAY_NS
    runs = (_run(name, began_ns, i, j, float(value)) for i, row in enumerate(rto_s) for j, value in enumerate(row, 1))
    return Night(name, began_ns, tuple(runs))


def _run(night: str, began_ns: int, experiment: int, trial: int, rto_s: float) -> RunRecord:
    name = f"serving/experiment-{experiment:02d}"
    value = Value("rto", rto_s, "s", rto_s - HALF_WIDTH_S, rto_s + HALF_WIDTH_S, budget=120.0)
    return RunRecord(
        night=night, run_id=f"{night}-{experiment}-{trial}", experiment=name, title=name, trial=trial, started_ns=began_ns,
        duration_s=60 + rto_s, verdict="PASS", counts_as="PASS", complete=True, sentence="Users were served again in time.",
        conditions=CONDITIONS, versions={"commit": "0"}, values=(value, Value("availability", 0.999, "ratio")), failed=(),
    )  # fmt: skip
