"""Between what the RTO of users' requests lies: all that it may have been, given what arrived when and what became of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from history.kinds import REQUESTS
from verdict.case import Case
from verdict.inputs.attempts import Bools, Ints
from verdict.inputs.goodness import longest_limit_ms
from verdict.inputs.outages import FOREVER_NS, Span
from verdict.inputs.recovery import Recovery
from verdict.requests.hit_share import hit_share, planned_pods
from verdict.requests.under_way import hurt_under_way
from verdict.shared.once import once
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.statistics import SHORTEST_S, arrivals_needed, bad_in_a_row, bad_needed, good_needed, mean_for


@dataclass(frozen=True, slots=True)
class Interval:
    """The RTO lies between ``low_s`` and ``high_s`` with a confidence of 95 % (s after the fault; infinite: nothing bounds it).

    ``fixed_s`` is that part of its width that no request rate makes smaller. ``hurt`` are the streams under way that were cut or stood
    still.
    """

    low_s: float
    high_s: float
    fixed_s: float
    hurt: int = 0


@dataclass(frozen=True, slots=True)
class _End:
    """By when an outage was over (ns), and how long the answers that tell so had been waited for (ns)."""

    t_ns: float
    waited_ns: float


NEVER = _End(math.inf, 0.0)


@measure("s", REQUESTS)
def rto_low(case: Case) -> Value:
    """Lower end of the RTO's 95 % interval: the last bad arrival of the last outage; 0 if there was none.

    A single bad arrival after as many good ones as show recovery is not counted. Of streams under way that stood still for longer than
    ``slo.max_gap_ms``, and so many that chance does not explain it, the end of that silence less this limit counts. The largest clock
    error and send lag p99 widen the interval at both ends. Source: requests.
    """
    found = interval_of(case)
    return NO_FAULT if found is None else Value(found.low_s)


@measure("s", REQUESTS)
def rto_high(case: Case) -> Value:
    """Upper end of the RTO's 95 % interval: when what the fault hit must have served again.

    With an outage it is when the good arrivals after the last bad one had their answers (a stream its first token, if the SLO limits that):
    who asked within one limit of the outage's end was kept waiting until it was over. As many good arrivals are taken as would all be
    served with 5 % at most if the outage still went on: one after a total outage; where a third of requests was hit 13, or 8 and the limit.
    Arrivals on a connection that leads to one replica count once, and not at all if it was served in the outage. Good answers on one where
    all had gone wrong, or of each faulted pod, if it gave none in the outage, tell as much. It is later if a stream under way stood still
    or was cut later.

    Without an outage it is the longest that is missed with 5 %: too short for as many bad arrivals as break the SLO, at the rate of the
    requests that the fault hits, by refusing or by keeping them waiting no longer than anybody waited. Source: requests.
    """
    found = interval_of(case)
    if found is None:
        return NO_FAULT
    return Value(found.high_s) if math.isfinite(found.high_s) else Value(None, "nothing that was seen bounds the RTO")


@once
def interval_of(case: Case) -> Interval | None:
    """Return between what the RTO lies; ``None`` without a fault."""
    recovery = case.recovery
    if recovery is None:
        return None
    error_s = case.audit.summary.send_lag_p99_ms / 1e3 + case.clocks.error_s
    if math.isnan(error_s):
        return Interval(0.0, math.inf, math.inf)
    outage = recovery.outages[-1] if recovery.outages else None
    low_ns, end = _with_outage(case, recovery, outage) if outage else _without_outage(case, recovery)
    hurt = hurt_under_way(case, recovery).by(end.t_ns)
    low_s = (max(low_ns, hurt.surely_until(bad_in_a_row(case.slo.ratio))) - recovery.fault_ns) / 1e9
    high_s = (max(end.t_ns, hurt.until_ns) - recovery.fault_ns) / 1e9
    a_stream_decides = hurt.until_ns > end.t_ns  # which no rate of requests ends earlier
    fixed_s = max(0.0, high_s - low_s) if a_stream_decides else end.waited_ns / 1e9
    return Interval(max(0.0, low_s - error_s), high_s + error_s, fixed_s + 2 * error_s, len(hurt))


def _with_outage(case: Case, recovery: Recovery, span: Span) -> tuple[float, _End]:
    if recovery.recovered_ns is None:
        return recovery.known_down_ns, NEVER
    inside = case.arrivals.between(span.start_ns, span.last_bad_ns + 1)
    after = slice(inside.stop, case.arrivals.between(span.last_bad_ns, recovery.end_ns).stop)
    return _last_bad_ns(case, inside), min(_by_draws(case, inside, after), _by_targets(case, inside, after), key=lambda end: end.t_ns)


def _last_bad_ns(case: Case, inside: slice) -> float:
    """Return the last bad arrival of an outage, but for a single one after so many good ones that the outage was over before."""
    bad = np.flatnonzero(~case.arrivals.good[inside])
    *_, before, last = bad if len(bad) > 1 else (bad[-1], bad[-1])
    single = last - before - 1 >= good_needed(len(bad) - 1, int(before - bad[0]) + 2 - len(bad))
    return float(case.arrivals.t_ns[inside.start + (before if single else last)])


def _by_draws(case: Case, inside: slice, after: slice) -> _End:
    """Return by when so many independent requests were served that an outage would have hit one of them.

    A hang ends for those who ask one limit before its end. So either that limit is added, or the answers are waited for. Where not all
    requests were hit, the latter needs two that the hang would have hit: the stretch between two of them in which it ends for askers is
    longer than others (inspection paradox).
    """
    drawn = _drawn(case, inside, after)
    first = after.start + drawn.new
    one, two = good_needed(drawn.hit, drawn.served), good_needed(drawn.hit, drawn.served, hits=2 if drawn.served else 1)
    limit_ns = longest_limit_ms(case.slo) * 1e6
    asked = _End(float(case.arrivals.t_ns[first[one - 1]]) + limit_ns, limit_ns) if len(first) >= one else NEVER
    answered = _answered(case, first[:two]) if len(first) >= two else NEVER
    return min(asked, answered, *_by_connections(case, drawn, after), key=lambda end: end.t_ns)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Independent requests: how many an outage ``hit`` and ``served``, and which came ``new`` after it and were served.

    ``again``: of each connection on which all went wrong, how often, and the places after it where it was served.
    """

    hit: int
    served: int
    new: Ints
    again: tuple[tuple[int, Ints], ...]


def _drawn(case: Case, inside: slice, after: slice) -> _Drawn:
    """Return the independent requests of an outage and after it.

    Requests on one connection are one if it leads to one replica. Where most of those on which some went wrong were also served, each
    request is sent on by itself, and all count.
    """
    group, good = _groups(case, slice(inside.start, after.stop)), case.arrivals.good[inside.start : after.stop]
    until = inside.stop - inside.start
    times, bad = _counts(group, until, good)
    often = (bad > 0) & (times > 1)
    if often.any() and (times > bad)[often].mean() > 0.5:
        group = np.arange(len(group))
        times, bad = _counts(group, until, good)
    hit, served, later = bad > 0, (times > 0) & (bad == 0), group[until:]
    new = np.flatnonzero(~served[later] & good[until:])
    first = np.full(len(times), -1)
    first[later[new[::-1]]] = new[::-1]  # what is written last stays
    again = tuple((int(bad[one]), new[later[new] == one]) for one in np.flatnonzero(hit & (first >= 0)))
    return _Drawn(int(hit.sum()), int(served.sum()), np.sort(first[first >= 0]), again)


def _counts(group: Ints, until: int, good: Bools) -> tuple[Ints, Ints]:
    """Return how many of the first ``until`` requests each group had, and how many bad ones."""
    groups, seen = int(group.max(initial=-1)) + 1, group[:until]
    return np.bincount(seen, minlength=groups), np.bincount(seen[~good[:until]], minlength=groups)


def _by_connections(case: Case, drawn: _Drawn, after: slice) -> list[_End]:
    """Return by when each connection on which all had gone wrong was served so often that it leads to what serves again."""
    enough = [(good_needed(bad, 0), places) for bad, places in drawn.again]
    return [_answered(case, after.start + places[:needed]) for needed, places in enough if len(places) >= needed]


def _by_targets(case: Case, inside: slice, after: slice) -> _End:
    """Return by when every pod that was hit served again; nothing, where one is not known to, or was never out."""
    pods, rows = planned_pods(case), case.arrivals.row
    if not pods or len(rows) != len(case.arrivals):
        return NEVER
    good = inside.start + np.flatnonzero(case.arrivals.good[inside.start : after.stop])
    answered_by = case.run.requests["pod"].gather(rows[good]).to_numpy()
    firsts = []
    for pod in pods:
        own = good[answered_by == pod]
        if not len(own) or own[0] < after.start:
            return NEVER
        firsts.append(own[0])
    return _answered(case, np.array(firsts))


def _groups(case: Case, part: slice) -> Ints:
    """Return the number of each arrival's group, from 0: the same for those on one connection, its own where that is not known."""
    alone = np.arange(part.stop - part.start)
    if len(case.arrivals.row) != len(case.arrivals) or not case.run.requests["connection"].count():
        return alone
    row = case.arrivals.row[part]
    rows = case.run.requests.select("worker", "connection")[np.maximum(row, 0)]
    worker = rows["worker"].cast(pl.Categorical).to_physical().fill_null(0).to_numpy().astype(np.int64)
    connection = rows["connection"].fill_null(-1).to_numpy()
    named = np.where((row >= 0) & (connection >= 0), worker << 40 | connection, -1 - alone)
    return pl.Series(named).rank("dense").to_numpy().astype(np.int64) - 1


def _answered(case: Case, arrivals: Ints) -> _End:
    """Return when the last of some good arrivals had what the SLO limits: its answer, or its first token."""
    most_ms = longest_limit_ms(case.slo)  # one that only counts as good waited for no longer
    waited_ns = np.minimum(case.arrivals.latency_ms[arrivals], most_ms) * 1e6
    ends_ns = case.arrivals.t_ns[arrivals] + waited_ns
    return _End(float(ends_ns.max()), float(waited_ns[np.argmax(ends_ns)]))


def _without_outage(case: Case, recovery: Recovery) -> tuple[float, _End]:
    """Return the fault, and the end of the longest outage from then on that is missed with 5 %."""
    start_ns = float(recovery.fault_ns)
    share, rate = hit_share(case), case.audit.summary.offered_rps
    held = rate * recovery.hold_ns / 1e9
    window = max(arrivals_needed(case.slo.ratio), math.ceil(held + 2 * math.sqrt(held)))
    needed = bad_needed(case.slo.ratio, share, window)
    if recovery.recovered_ns is None or needed is None or rate <= 0:
        return start_ns, NEVER
    after = case.arrivals.between(recovery.fault_ns, FOREVER_NS)
    limit_s, waited_s = longest_limit_ms(case.slo) / 1e3, float(case.arrivals.latency_ms[after].max(initial=0.0)) / 1e3
    refused_s = mean_for(needed) / (share * rate) + SHORTEST_S
    kept_s = min(limit_s + mean_for(needed) / (share * rate), waited_s + mean_for(1) / (share * rate))
    return start_ns, _End(start_ns + max(refused_s, kept_s) * 1e9, min(limit_s, waited_s) * 1e9 if kept_s > refused_s else SHORTEST_S * 1e9)
