"""Whether the state that a fault brought about outlived it."""

from __future__ import annotations

from history.kinds import REQUESTS
from history.schema import EventKind
from verdict.case import Case
from verdict.requests.reasons import counts
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.users import NOT_BACK
from verdict.shared.window import bad_of_fault
from verdict.words import listed

SEVERAL = "several faults began, and when the last of them was over was not recorded"


@measure("s", REQUESTS)
def outlived(case: Case) -> Value:
    """How long users were still not served when a fault was over that lasts for a time: from its end until recovery, else 0.

    Of several faults, the end of the last counts. It is when the fault was undone or ended by itself; of one fault whose end was not
    recorded, its end as planned. A state that sustains itself although its cause
    is gone is metastable (Bronson et al., HotOS 2021): a queue that is worked through although those who asked have gone, retries that
    keep the platform busy. What the platform's own timers take until it notices that a fault is over stands here, too. The value is a
    lower bound where that of rto is. Source: requests, events, plan.
    """
    if case.recovery is None:
        return NO_FAULT
    if not case.run.plan.timers.fault_s:
        return Value(None, "no fault lasted for a time of its own")
    lasted_s = _lasted_s(case)
    if lasted_s is None:
        return Value(None, SEVERAL)
    known_s = case.recovery.rto_s
    if known_s is None:
        return Value(max(0.0, case.recovery.at_least_s - lasted_s), f"users were {NOT_BACK}", censored=True)
    over_s = max(0.0, known_s - lasted_s)
    return Value(over_s, _afterwards(case, lasted_s) if over_s else "")


def _lasted_s(case: Case) -> float | None:
    """Return how long after the first fault began the last was over (s); ``None``: it is not known."""
    begun = case.timeline.all(EventKind.FAULT_START)
    ends = {event.object: event.t_ns for event in case.timeline.all(EventKind.FAULT_END)}  # the last of each activity
    if begun and {event.object for event in begun} <= ends.keys():
        return max(0.0, *(case.after_fault_s(ends[event.object]) for event in begun))
    return case.run.plan.timers.fault_s if len(begun) <= 1 else None


def _afterwards(case: Case, lasted_s: float) -> str:
    """Return why requests were bad that users asked when the fault was over, in words."""
    bad = bad_of_fault(case)
    later = bad[case.arrivals.t_ns[bad] >= (case.recovery.fault_ns if case.recovery else 0) + int(lasted_s * 1e9)]
    return f"bad then: {listed(f'{number:,} {reason.word}' for reason, number in counts(case, later))}" if len(later) else ""
