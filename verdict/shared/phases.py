"""Where the time to full capacity went, phase by phase."""

from __future__ import annotations

from history.kinds import REQUESTS
from history.schema import EventKind
from verdict.case import Case
from verdict.shared.capacity import capacity_of
from verdict.shared.detection import first_signal
from verdict.shared.once import once
from verdict.shared.registry import NO_FAULT, Value, measure


@measure("s", REQUESTS)
def phase_detect(case: Case) -> Value:
    """Detect: from t_fault to the platform's first sign of it (as time_to_detection). Source: events."""
    return _phase(case, "detect")


@measure("s", REQUESTS)
def phase_evict(case: Case) -> Value:
    """Evict: from the first sign to the creation of the pod that restored full capacity. Source: pod.created events.

    Like the phases after it, it is that of the pod whose readiness brought full capacity back (the last to become Ready, if it was not
    brought back). A pod whose container was restarted in place has no such phase.
    """
    return _phase(case, "evict")


@measure("s", REQUESTS)
def phase_schedule(case: Case) -> Value:
    """Schedule: from that pod's creation until it was bound to a node. Source: pod.created, pod.scheduled events."""
    return _phase(case, "schedule")


@measure("s", REQUESTS)
def phase_start(case: Case) -> Value:
    """Start: from being bound (restarted in place: from the first sign) until that pod's last container ran.

    Source: pod.scheduled, pod.started events.
    """
    return _phase(case, "start")


@measure("s", REQUESTS)
def phase_load(case: Case) -> Value:
    """Load: from that pod's start until it was Ready: weights are read, the engine warms up. Source: pod.started, pod.ready events."""
    return _phase(case, "load")


@measure("s", REQUESTS)
def phase_warm(case: Case) -> Value:
    """Warm: from that pod's readiness until users were served again; 0 if they were before. Source: pod.ready events, requests."""
    return _phase(case, "warm")


@measure("s", REQUESTS)
def dominant_phase(case: Case) -> Value:
    """How long the longest phase of recovery took; its sentence names it. Source: phases."""
    phases = phases_of(case)
    if not phases:
        return NO_FAULT if case.recovery is None else Value(None, "no pod became Ready after the fault, so nothing was restored")
    name, lasted_s = max(phases.items(), key=lambda item: item[1])
    return Value(lasted_s, name)


@once
def phases_of(case: Case) -> dict[str, float]:
    """Return the phases of recovery that the record shows (s), in their order."""
    if case.recovery is None:
        return {}
    marks = _marks(case)
    ready, started, detected = marks.get("ready"), marks.get("started"), marks.get("detected")
    spans = {
        "detect": (case.recovery.fault_ns, detected),
        "evict": (detected, marks.get("created")),
        "schedule": (marks.get("created"), marks.get("scheduled")),
        "start": (marks.get("scheduled", None if "created" in marks else detected), started),
        "load": (started, ready),
        "warm": (ready, case.recovery.recovered_ns),
    }
    return {
        name: max(0.0, (end - start) / 1e9)
        for name, (start, end) in spans.items()
        if start is not None and end is not None and ready is not None
    }


def _marks(case: Case) -> dict[str, int]:
    """Return when the pod that restored capacity passed each stage (ns)."""
    assert case.recovery is not None  # noqa: S101 - told by phases_of
    start_ns, full_ns = case.recovery.fault_ns, capacity_of(case).full_ns
    until_ns = full_ns if full_ns is not None and full_ns > start_ns else case.recovery.watched_ns
    restored = [event for event in case.timeline.all(EventKind.POD_READY) if start_ns < event.t_ns <= until_ns]
    if not restored:
        return {}
    pod, ready_ns = restored[-1].object, restored[-1].t_ns
    kinds = {"created": EventKind.POD_CREATED, "scheduled": EventKind.POD_SCHEDULED, "started": EventKind.POD_STARTED}
    marks = {"ready": ready_ns}
    for name, kind in kinds.items():
        times = [event.t_ns for event in case.timeline.all(kind) if event.object == pod and start_ns <= event.t_ns <= ready_ns]
        marks |= {name: times[-1]} if times else {}
    signal = first_signal(case)
    return marks | ({"detected": signal.t_ns} if signal else {})


def _phase(case: Case, name: str) -> Value:
    if case.recovery is None:
        return NO_FAULT
    lasted_s = phases_of(case).get(name)
    return Value(None, "the record does not show it") if lasted_s is None else Value(lasted_s)
