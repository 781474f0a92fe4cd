"""A job that went on with another number of ranks than its reference has: how far the bits can be compared, and how near its losses stay.

Sums over other parts are rounded differently and each rank draws its own dropout, so from there on the state rightly differs. What each
step saw must still be the reference's to the sample (:mod:`verdict.training.exactly_once`), and its loss must stay near.
"""

from __future__ import annotations

import re
from math import inf
from statistics import fmean
from typing import NamedTuple

import polars as pl

from history.ledgers import detail_of
from verdict.inputs.training_job import Start, TrainingJob

FEWEST_STEPS = 25
"""Losses of fewer steps say little: dropout alone moves their mean."""
LOSS_SHARE = 0.10
"""How far the mean loss may lie from the reference's. What dropout explains is within it; lost weights are far beyond. (Both by
tests/unit/verdict/test_resized_model.py, on the reference platform's model.) It does not tell that an optimizer's state was lost."""
ATTEMPT = re.compile(r"\.a(\d+)$")  # of a checkpoint's name, step-00000040.a0002


class Losses(NamedTuple):
    """Mean losses of the steps that the reference's bits cannot tell, from step ``since`` on, and the reference's at the same steps."""

    since: int
    steps: int
    ours: float
    reference: float

    @property
    def apart(self) -> float:
        """How far ours lies from the reference's, as a share of it."""
        return abs(self.ours - self.reference) / self.reference


def comparable_until(job: TrainingJob) -> dict[int, float]:
    """Return, by attempt, the last step at which its state can equal the reference's to the bit (inf: every step).

    An attempt of another number of ranks ends that at the step which it went on from, also for all that go on from its checkpoints.
    """
    until: dict[int, float] = {}
    for start in job.starts:
        inherited = until.get(_origin(start), inf)
        reaches = inherited if start.step > inherited else inf
        until[start.attempt] = reaches if start.ranks in {0, job.plan.ranks} else min(reaches, start.step)
    return until


def _origin(start: Start) -> int:
    named = ATTEMPT.search(str(start.detail.get("checkpoint") or ""))
    return int(named[1]) if named else 0


def losses_of(job: TrainingJob) -> Losses | None:
    """Compare the losses of the steps beyond what bits can tell, each as its newest attempt did it; None if there are none in common."""
    until = comparable_until(job)
    beyond = {step: attempt for step, attempt in job.newest_attempt.items() if step > until.get(attempt, inf)}
    if not beyond:
        return None
    ours, reference = mean_losses(job.rows), {step: loss for (_, step), loss in mean_losses(job.reference).items()}
    common = {step: ours[attempt, step] for step, attempt in beyond.items() if (attempt, step) in ours and step in reference}
    if not common:
        return None
    return Losses(min(beyond), len(common), fmean(common.values()), fmean(reference[step] for step in common))


def mean_losses(rows: pl.DataFrame) -> dict[tuple[int, int], float]:
    """Return the loss by attempt and step: the mean of what the ranks say. Rows without a loss are left out."""
    told: dict[tuple[int, int], list[float]] = {}
    for attempt, step, detail in rows.filter(pl.col("kind") == "step").select("attempt", "step", "detail").iter_rows():
        loss = detail_of(detail).get("loss")
        if isinstance(loss, int | float):
            told.setdefault((attempt, step), []).append(float(loss))
    return {key: fmean(losses) for key, losses in told.items()}
