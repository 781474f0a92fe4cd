"""Outages as users felt them: from arrivals, good and bad, to spans of time.

Everything here works on the positions of bad arrivals among all arrivals. Let q = 1 - ratio. The *excess* after arrival j is the number
of bad arrivals so far minus q times the number of all; it rises at bad arrivals and falls at good ones. Users have been served to the
SLO's ratio since arrival i exactly if no later excess is above that at i. So an outage ends where the excess reached its last record and
the next record is more than a hold away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from verdict.inputs.attempts import Bools, Floats, Ints
from verdict.statistics import LARGEST_EXCESS, SHORTEST_S, arrivals_needed, bad_in_a_row

SHORTEST_NS = round(SHORTEST_S * 1e9)
EPSILON = 1e-9
FOREVER_NS = np.iinfo(np.int64).max // 2


class Rule(NamedTuple):
    """What an outage is judged by: the SLO's ratio and the hold (ns)."""

    ratio: float
    hold_ns: int


@dataclass(frozen=True, slots=True)
class Span:
    """One outage. ``end_ns`` is the first good arrival after its last bad one (``None``: there was none).

    ``held`` tells whether that was watched for a whole hold.
    """

    start_ns: int
    last_bad_ns: int
    end_ns: int | None
    bad: int
    held: bool


@dataclass(frozen=True, slots=True)
class Detected:
    """All outages in order of time, and the number of bad requests that belong to none."""

    outages: tuple[Span, ...]
    residue: int


class _Bad(NamedTuple):
    """The bad arrivals; arrays of shape (bad,)."""

    position: Ints
    t_ns: Ints
    next_ns: Ints  # the arrival right after
    excess: Floats
    in_a_row: Bools  # belongs to a run that is not chance
    breaks: Bools  # breaks the SLO: by such a run, or by its window


def find_outages(t_ns: Ints, good: Bools, rule: Rule, until_ns: int) -> Detected:
    """Return the outages among arrivals (definition: outage).

    An outage begins where bad arrivals break the SLO, in one of three ways. (1) The window of one hold that starts with a bad arrival
    misses the SLO's ratio. It is longer than a hold if that holds too few arrivals to support the ratio (299 for 99 %). (2) Over at least
    20 ms, so many come in a row that chance does not explain them at the SLO's own error rate: 6 for 90 %, 3 for 99 %, 2 for 99.9 %.
    (3) Over at least 20 ms, six more come than the SLO allows.

    An outage ends at the first good arrival after which users were served for a whole hold. They were served if the share of good arrivals
    since then never falls below the SLO's ratio. So bad arrivals less than a hold apart belong to one outage, unless the good ones between
    them make up for them.

    Bad arrivals that break the SLO in none of these ways are residue. They are reported, but are no outage: so few cannot be told apart
    from single failures.

    Args:
        t_ns: when users asked, ascending, shape (n,).
        good: whether each was served, shape (n,).
        rule: ratio and hold.
        until_ns: the end of what was watched (ns); a recovery that was watched for less than a hold is not ``held``.

    """
    position = np.flatnonzero(~good)
    if not len(position):
        return Detected((), 0)
    bad = _bad_arrivals(t_ns, position, rule)
    spans, first, outside = [], 0, 0
    while first < len(position):
        last = _last_record(bad, first, rule.hold_ns)
        if bad.breaks[first : last + 1].any() or _too_many(bad, first, last, 1 - rule.ratio):
            start = _start(bad, first, last, 1 - rule.ratio)
            spans.append(_span(bad, start, last, rule.hold_ns, until_ns))
            outside += start - first
        else:
            outside += last + 1 - first
        first = last + 1
    return Detected(tuple(spans), outside)


def _bad_arrivals(t_ns: Ints, position: Ints, rule: Rule) -> _Bad:
    after = np.append(t_ns, FOREVER_NS)
    excess = np.arange(1, len(position) + 1) - (1 - rule.ratio) * (position + 1)
    in_a_row = _in_a_row(t_ns, position, rule.ratio)
    return _Bad(position, t_ns[position], after[position + 1], excess, in_a_row, in_a_row | _window_missed(t_ns, position, rule))


def _in_a_row(t_ns: Ints, position: Ints, ratio: float) -> Bools:
    """Return which bad arrivals belong to a run that is too long, in number and time, to be chance."""
    run = np.cumsum(np.diff(position, prepend=position[0] - 1) != 1)
    starts, ends = np.flatnonzero(np.diff(run, prepend=-1)), np.flatnonzero(np.diff(run, append=-1))
    after_ns = np.append(t_ns, t_ns[-1])
    lasted_ns = after_ns[position[ends] + 1] - t_ns[position[starts]]
    long = (np.bincount(run) >= bad_in_a_row(ratio)) & (lasted_ns >= (SHORTEST_NS if ratio < 1 else 0))
    return np.asarray(long[run])


def _window_missed(t_ns: Ints, position: Ints, rule: Rule) -> Bools:
    """Return for which bad arrivals the window that starts with them misses the ratio; at the record's end it reaches back for arrivals."""
    needed = arrivals_needed(rule.ratio)
    if len(t_ns) < needed:
        return np.zeros(len(position), dtype=np.bool_)
    latest = np.searchsorted(t_ns, t_ns[-1] - rule.hold_ns)  # the last window of a hold that was watched whole
    first = np.minimum(position, latest)
    last = np.searchsorted(t_ns, t_ns[first] + rule.hold_ns, side="right")
    last = np.minimum(np.maximum(last, first + needed), len(t_ns))
    first = np.minimum(first, last - needed)
    bad = np.searchsorted(position, last) - np.arange(len(position))
    return np.asarray(bad > (1 - rule.ratio) * (last - first) + EPSILON)


def _last_record(bad: _Bad, first: int, hold_ns: int) -> int:
    """Return which bad arrival is the last of the outage that begins at ``first``; reads only as far as it must."""
    last, size = first, 64
    while last + 1 < len(bad.t_ns):
        block = slice(last + 1, last + 1 + size)
        peak = np.maximum.accumulate(np.concatenate((bad.excess[last : last + 1], bad.excess[block])))
        records = last + 1 + np.flatnonzero(np.diff(peak) > EPSILON)
        chain = np.concatenate(([last], records))
        apart = np.flatnonzero(bad.t_ns[chain[1:]] > bad.next_ns[chain[:-1]] + hold_ns)
        if len(apart):
            return int(chain[apart[0]])
        last = int(chain[-1])
        end = min(block.stop, len(bad.t_ns)) - 1
        if end > last and (bad.t_ns[end] > bad.next_ns[last] + hold_ns or end == len(bad.t_ns) - 1):
            return last
        size *= 2
    return last


def _too_many(bad: _Bad, first: int, last: int, q: float) -> bool:
    """Tell whether, over some stretch of an outage, its bad arrivals exceed the SLO's allowance by more than chance would."""
    excess = bad.excess[first : last + 1]
    grown = excess - np.minimum.accumulate(excess) + (1 - q)
    most = int(np.argmax(grown))
    if grown[most] < LARGEST_EXCESS:
        return False
    least = int(np.argmin(excess[: most + 1]))
    return bool(bad.next_ns[first + most] - bad.t_ns[first + least] >= SHORTEST_NS)


def _start(bad: _Bad, first: int, last: int, q: float) -> int:
    """Return which bad arrival begins the outage: the same rule backwards in time, so that a single failure long before is left out."""
    back = slice(first, last + 1)
    position = bad.position[back]
    excess = np.arange(len(position), 0, -1) - q * (position[-1] - position + 1)
    peak = np.maximum.accumulate(excess[::-1])[::-1]
    earliest = int(np.flatnonzero(excess >= peak - EPSILON)[0])
    run = np.flatnonzero(bad.in_a_row[back])
    return first + (min(earliest, int(run[0])) if len(run) else earliest)


def _span(bad: _Bad, first: int, last: int, hold_ns: int, until_ns: int) -> Span:
    end_ns = int(bad.next_ns[last])
    known = end_ns < FOREVER_NS
    return Span(
        start_ns=int(bad.t_ns[first]),
        last_bad_ns=int(bad.t_ns[last]),
        end_ns=end_ns if known else None,
        bad=last - first + 1,
        held=known and end_ns + hold_ns <= until_ns,
    )
