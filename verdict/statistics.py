"""How much data a claim about a share needs, and how sure a share is that was seen."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
CHANCE = 1e-6
"""Runs of bad requests rarer than this, at the error rate that the SLO itself allows, are not put down to chance."""
LARGEST_EXCESS = 6.0
"""So many bad requests more than the SLO allows are not chance: at a tenth of the allowed error rate, less than once in 10⁹ requests."""
MOST_NEEDED = 100_000
ODDS = 0.01
"""What is rarer than this is not put down to chance where a single run is judged."""
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


@lru_cache(maxsize=1024)
def mean_for(events: int) -> float:
    """Return the mean of a Poisson count that is at least ``events`` with a probability of 95 %: 3.00 for 1, 4.74 for 2, 6.30 for 3.

    So many arrivals must be expected of a stretch of time for so many to come in it; divided by a rate it is that time.
    """
    low, high = 0.0, events + 5 * math.sqrt(events) + 5
    while high - low > 1e-9 * high:
        mean = (low + high) / 2
        low, high = (mean, high) if _poisson_below(events, mean) > 1 - CONFIDENCE else (low, mean)
    return high


def _poisson_below(events: int, mean: float) -> float:
    """Return how likely fewer than ``events`` are where ``mean`` are expected."""
    return sum(math.exp(count * math.log(mean) - mean - math.lgamma(count + 1)) for count in range(events))


SHORTEST_S = 0.02
"""Bad requests in a row over less than this (20 ms) are not an outage by themselves, however many they are."""


def found_after_s(ratio: float, rate_rps: float) -> float:
    """Return how long an outage that refuses all requests must last to be found with 95 % at ``rate_rps`` (s)."""
    return mean_for(bad_in_a_row(ratio)) / rate_rps + SHORTEST_S


def rate_that_finds_rps(ratio: float, lasts_s: float) -> float:
    """Return the rate at which such an outage of ``lasts_s`` is found with 95 % (requests/s; infinite: at none)."""
    return mean_for(bad_in_a_row(ratio)) / (lasts_s - SHORTEST_S) if lasts_s > SHORTEST_S else math.inf


def bad_needed(ratio: float, share: float, arrivals: int) -> int | None:
    """Return how many bad requests make an outage that hits ``share`` of all; ``None``: it is not more than the SLO allows.

    Where all are hit they come in a row (:func:`bad_in_a_row`). Else either those of a window of ``arrivals`` are more than the SLO allows,
    or they exceed its allowance by six; see :func:`verdict.inputs.outages.find_outages`.
    """
    allowed = 1 - ratio
    if share >= 1 or allowed <= 0:
        return bad_in_a_row(ratio)
    if share <= allowed:
        return None
    exceeding = math.ceil(LARGEST_EXCESS / (1 - allowed / share))
    return max(bad_in_a_row(ratio), min(math.floor(allowed * arrivals + 1e-9) + 1, exceeding))


def good_needed(bad: int, good: int, hits: int = 1) -> int:
    """Return of how many requests in a row an outage that goes on would hit at least ``hits`` (1 or 2), with a probability of 95 %.

    It had hit ``bad`` of ``bad + good`` requests. Of the share p that it hits only those tell: the distribution Beta(bad - 1, good + 1/2),
    since what is counted begins and ends with a bad one by choice (inverse sampling, Haldane 1945). With its mean of (1 - p)^n, n requests
    are all missed. One hit of 8 where a third of many was hit, two of 13; 1 and 2 after a total outage.
    """
    hit, missed, none, needed = max(bad - 1, 0.5), good + 0.5, 1.0, 0
    fewer = 1.0
    while fewer > 1 - CONFIDENCE and needed < MOST_NEEDED:
        before, none = none, none * (missed + needed) / (hit + missed + needed)
        needed += 1
        fewer = none + (needed * (before - none) if hits > 1 else 0.0)
    return needed


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


def most_by_chance(trials: int, share: float) -> int:
    """Return the most hits that ``trials`` independent trials at ``share`` bring more often than once in a hundred times."""
    if share >= 1:
        return trials
    hits, chance, fewer = 0, (1 - share) ** trials, 0.0
    while hits < trials and 1 - fewer - chance > ODDS:
        fewer += chance
        chance *= (trials - hits) / (hits + 1) * share / (1 - share)
        hits += 1
    return hits


def at_most_share(hits: int, trials: int) -> float:
    """Return a cautious share after ``hits`` of ``trials``: as if one more of each kind had been seen (Laplace's rule of succession)."""
    return (hits + 1) / (trials + 2)


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
