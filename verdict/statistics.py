"""How much data a claim about a share needs, and how sure a share is that was seen."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
CHANCE = 1e-6
"""Runs of bad requests rarer than this, at the error rate that the SLO itself allows, are not put down to chance."""
LARGEST_RATIO = 0.999
"""A ratio of exactly 1 cannot be shown by any number of requests; it is asked for as much data as 99.9 %."""


def arrivals_needed(ratio: float) -> int:
    """Return how many requests, all good, show with 95 % confidence that at least ``ratio`` of all are: ln 0.05 / ln ratio, rounded up.

    29 for 90 %, 59 for 95 %, 299 for 99 %, 2,995 for 99.9 %.
    """
    bounded = ratio if ratio < 1 else LARGEST_RATIO
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(bounded))


def bad_in_a_row(ratio: float) -> int:
    """Return the shortest run of bad requests that is not chance if the SLO's allowance was used up: (1 - ratio)^k ≤ 10⁻⁶.

    6 for 90 %, 3 for 99 %, 2 for 99.9 %, 1 for 100 %.
    """
    if ratio >= 1:
        return 1
    return max(1, math.ceil(round(math.log(CHANCE) / math.log(1 - ratio), 9)))


def share_interval(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of which ``hits`` of ``trials`` independent trials were seen (Wilson's score interval, 1927).

    It stays within 0 and 1, and says something with no hits at all, unlike the normal approximation. Raises ValueError: no trials.
    """
    if not 0 <= hits <= trials or not trials:
        raise ValueError(f"{hits} hits of {trials} trials: expected at least one trial, and hits between 0 and that")
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, weight = hits / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def chance_of_as_many(hits_before: int, trials_before: int, hits: int, trials: int) -> float:
    """Return how likely ``hits`` or more of ``trials`` are if their share is that of before: Fisher's exact test, one-sided (1922).

    Given how many hits there were in all, how many of them fall into the second sample is hypergeometric. Raises ValueError: more hits
    than trials.
    """
    if not (0 <= hits_before <= trials_before and 0 <= hits <= trials):
        raise ValueError(f"{hits_before} of {trials_before} and {hits} of {trials}: expected no more hits than trials")
    all_hits = hits_before + hits
    least, most = max(0, all_hits - trials_before), min(all_hits, trials)
    falls = np.arange(least, most, dtype=np.float64)  # from so many hits in the second sample to one more
    grows = np.log((all_hits - falls) * (trials - falls)) - np.log((falls + 1) * (trials_before - all_hits + falls + 1))
    weight = np.concatenate(([0.0], np.cumsum(grows)))
    weight = np.exp(weight - weight.max())
    return float(weight[hits - least :].sum() / weight.sum())
