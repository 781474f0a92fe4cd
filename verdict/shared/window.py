"""Which requests belong to the fault, and which to the baseline: by when it was decided whether they are good."""

from __future__ import annotations

import numpy as np

from verdict.case import Case
from verdict.inputs.attempts import Ints
from verdict.shared.once import once

NONE: Ints = np.zeros(0, dtype=np.int64)


@once
def before(case: Case) -> Ints:
    """Return the arrivals of the baseline: asked in it and decided before the fault, whatever their length (indices, in order of time)."""
    if case.baseline_ns is None:
        return NONE
    asked = case.arrivals.between(*case.baseline_ns)
    return np.asarray(asked.start + np.flatnonzero(case.arrivals.decided_ns[asked] < case.baseline_ns[1]))


@once
def under_way(case: Case) -> Ints:
    """Return the arrivals that were under way at the fault: asked before it, and not decided then (indices, in order of time)."""
    if case.recovery is None:
        return NONE
    asked = case.arrivals.between(0, case.recovery.fault_ns)
    return np.flatnonzero(case.arrivals.decided_ns[asked] >= case.recovery.fault_ns)


@once
def of_fault(case: Case, until_ns: int) -> Ints:
    """Return the arrivals that belong to the fault: under way at it, or asked from then until ``until_ns`` (indices, in order of time)."""
    if case.recovery is None:
        return NONE
    asked = case.arrivals.between(case.recovery.fault_ns, until_ns)
    return np.concatenate((under_way(case), np.arange(asked.start, asked.stop)))


@once
def bad_of_fault(case: Case) -> Ints:
    """Return the bad arrivals that belong to the fault, until watching ended (indices, in order of time)."""
    if case.recovery is None:
        return NONE
    found = of_fault(case, case.recovery.watched_ns)
    return np.asarray(found[~case.arrivals.good[found]])
