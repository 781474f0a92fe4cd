"""How users fare in a run that still goes on: for whoever decides when to stop watching."""

from __future__ import annotations

from dataclasses import dataclass

from history.reader import Run
from verdict.case import case_of
from verdict.sampling import arrivals_needed


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known by now.

    ``recovered_s`` is the RTO so far, known once users were served for a whole hold; ``held``: and with enough arrivals to say so.
    """

    outages: int
    bad: int
    recovered_s: float | None
    held: bool
    hold_arrivals: int
    arrivals_needed: int


def standing(run: Run, until_ns: int) -> Standing:
    """Judge what users asked for until ``until_ns`` (ns UTC).

    Requests that still wait have no row yet: ``until_ns`` should lie at least the client's time-out in the past.
    """
    case = case_of(run, until_ns)
    needed = arrivals_needed(run.plan.slo.ratio)
    recovery = case.recovery
    if recovery is None:
        return Standing(0, 0, None, held=False, hold_arrivals=0, arrivals_needed=needed)
    since_ns = recovery.end_ns if recovery.recovered_ns is None else recovery.recovered_ns
    held = case.arrivals.between(since_ns, recovery.end_ns)
    arrived = held.stop - held.start
    bad = sum(span.bad for span in recovery.outages)
    return Standing(len(recovery.outages), bad, recovery.rto_s, recovery.recovered_ns is not None and arrived >= needed, arrived, needed)
