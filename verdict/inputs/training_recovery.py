"""When a training job was out after the fault, and when it was beyond its high-water mark again."""

from __future__ import annotations

from history.plan import Plan
from history.schema import EventKind
from verdict.inputs.outages import Span
from verdict.inputs.recovery import Recovery, fault_ns
from verdict.inputs.timeline import Timeline
from verdict.inputs.training_job import Break, TrainingJob


def training_recovery(plan: Plan, timeline: Timeline, job: TrainingJob) -> Recovery | None:
    """Return what the job went through after the fault; ``None`` if there was no fault (or, in a null control, no observation).

    The outages are the breaks of its progress; it recovered when the last of them ended, if progress then went on for the hold.
    """
    start_ns = fault_ns(plan, timeline)
    if start_ns is None:
        return None
    hold_ns, heal_ns = int(plan.timers.hold_s * 1e9), timeline.first_ns(EventKind.HEAL_START)
    end_ns = max([start_ns, *(step.t_ns for step in job.done[-1:])])
    watched_ns = end_ns if heal_ns is None else heal_ns
    last_ns = max((step.t_ns for step in job.progress if step.t_ns <= watched_ns), default=start_ns)
    last_ns = watched_ns if job.finished_by(watched_ns) else last_ns
    spans = tuple(_span(pause, last_ns - hold_ns, watched_ns) for pause in job.breaks(start_ns, watched_ns))
    later = tuple(_span(pause, end_ns, end_ns) for pause in job.breaks(watched_ns, end_ns) if pause.start_ns > watched_ns)
    unhurt = last_ns - max(start_ns, timeline.last_ns(EventKind.FAULT_CONFIRMED) or start_ns) >= hold_ns
    back = bool(spans) and spans[-1].held
    return Recovery(
        fault_ns=start_ns,
        watched_ns=watched_ns,
        hold_ns=hold_ns,
        outages=spans,
        while_healing=later,
        residue=0,
        recovered_ns=spans[-1].end_ns if back else start_ns if unhurt and not spans else None,
        known_down_ns=spans[-1].last_bad_ns if spans else start_ns,
    )


def _span(pause: Break, held_until_ns: int, watched_ns: int) -> Span:
    end_ns = pause.end_ns
    return Span(
        start_ns=pause.start_ns,
        last_bad_ns=watched_ns if end_ns is None else end_ns,
        end_ns=end_ns,
        bad=0,
        held=end_ns is not None and end_ns <= held_until_ns,
    )
