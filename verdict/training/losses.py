"""How near a training job's losses stay to those of its undisturbed run: on GPUs the bits of the same run differ from time to time."""

from __future__ import annotations

import math
from math import inf
from typing import NamedTuple

from verdict.inputs.training_job import TrainingJob
from verdict.training.resized import comparable_until, mean_losses


class Nearness(NamedTuple):
    """Losses against the reference's at the same step, step by step. ``apart``: by how much at most, as a share of the reference's."""

    compared: int
    last: int  # the last step that was compared (0: none)
    apart: float
    at: int  # the step at which they lie furthest apart


def nearness_of(job: TrainingJob, before: float = inf) -> Nearness:
    """Compare the losses of the steps below ``before``, each as its newest attempt did it and as the mean of what its ranks say.

    Steps in which another number of ranks took part are left out, as by :mod:`verdict.training.resized`. A loss that is no number is
    infinitely far from one that is.
    """
    until, ours = comparable_until(job), mean_losses(job.rows)
    reference = {step: loss for (_, step), loss in mean_losses(job.reference).items()}
    apart = {
        step: _apart(ours[attempt, step], reference[step])
        for step, attempt in job.newest_attempt.items()
        if (attempt, step) in ours and step in reference and step < before and step <= until.get(attempt, inf)
    }
    at = max(apart, key=lambda step: apart[step], default=0)
    return Nearness(len(apart), max(apart, default=0), apart.get(at, 0.0), at)


def _apart(ours: float, reference: float) -> float:
    if ours == reference or (math.isnan(ours) and math.isnan(reference)):
        return 0.0
    share = abs(ours - reference) / abs(reference) if reference else inf
    return inf if math.isnan(share) else share
