"""What users went through after the fault, and when it was over."""

from __future__ import annotations

from dataclasses import dataclass

from history.plan import Phase, Plan
from history.schema import EventKind
from verdict.inputs.arrivals import Arrivals
from verdict.inputs.outages import FOREVER_NS, Rule, Span, find_outages
from verdict.inputs.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Recovery:
    """From the fault to the end of what was watched (all times ns UTC).

    ``recovered_ns`` is the end of the last outage, or ``fault_ns`` if there was none. It is ``None`` if users were not served again before
    healing, or if nobody watched for a whole hold after it.
    """

    fault_ns: int
    watched_ns: int
    hold_ns: int
    outages: tuple[Span, ...]  # that began before healing
    while_healing: tuple[Span, ...]  # that began after it did, or of which nothing was decided before it
    residue: int  # bad requests that are part of no outage
    recovered_ns: int | None
    known_down_ns: int  # not recovered: when users were last known not to be served

    @property
    def rto_s(self) -> float | None:
        """From the fault to recovery (s)."""
        return None if self.recovered_ns is None else (self.recovered_ns - self.fault_ns) / 1e9

    @property
    def at_least_s(self) -> float:
        """What is known of the RTO if it is not known (s)."""
        return max(0.0, (self.known_down_ns - self.fault_ns) / 1e9)

    @property
    def end_ns(self) -> int:
        """The end of the fault window: one hold after recovery, or the end of what was watched."""
        return self.watched_ns if self.recovered_ns is None else self.recovered_ns + self.hold_ns


def fault_ns(plan: Plan, timeline: Timeline) -> int | None:
    """Return t_fault (ns): when the first action began; in a null control, when observation began; ``None``: nothing was injected."""
    if plan.experiment.fault != "none":
        return timeline.first_ns(EventKind.FAULT_START)
    observed = timeline.phase_ns(Phase.OBSERVE)
    return observed if observed is not None else timeline.phase_ns(Phase.INJECT)


def recovery_of(plan: Plan, timeline: Timeline, arrivals: Arrivals) -> Recovery | None:
    """Return what users went through after the fault; ``None`` if there was no fault (or, in a null control, no observation)."""
    start_ns = fault_ns(plan, timeline)
    if start_ns is None:
        return None
    rule = Rule(plan.requests.slo.ratio, int(plan.timers.hold_s * 1e9))
    after = arrivals.between(start_ns, FOREVER_NS)
    detected = find_outages(arrivals.t_ns[after], arrivals.good[after], rule, arrivals.stop_ns)
    heal_ns = timeline.first_ns(EventKind.HEAL_START)
    watched_ns = arrivals.stop_ns if heal_ns is None else min(heal_ns, arrivals.stop_ns)
    before = _before(watched_ns, detected.outages, arrivals)
    seen_ns = max(start_ns, timeline.last_ns(EventKind.FAULT_CONFIRMED) or start_ns)
    unhurt = seen_ns + rule.hold_ns <= arrivals.stop_ns
    return Recovery(
        fault_ns=start_ns,
        watched_ns=watched_ns,
        hold_ns=rule.hold_ns,
        outages=before,
        while_healing=detected.outages[len(before) :],
        residue=detected.residue,
        recovered_ns=_recovered(before[-1], watched_ns) if before else start_ns if unhurt else None,
        known_down_ns=min(before[-1].last_bad_ns, watched_ns) if before else start_ns,
    )


def _before(watched_ns: int, outages: tuple[Span, ...], arrivals: Arrivals) -> tuple[Span, ...]:
    """Return the outages that had begun when healing did: by then some of their bad requests were known to be bad.

    Who asked a moment before healing and waited into it was hurt by what healing does, such as the replacement of a pod.
    """

    def decided_ns(span: Span) -> int:
        asked = arrivals.between(span.start_ns, span.last_bad_ns + 1)
        return int(arrivals.decided_ns[asked][~arrivals.good[asked]].min())

    begun = [number for number, span in enumerate(outages, 1) if span.start_ns < watched_ns and decided_ns(span) < watched_ns]
    return outages[: max(begun, default=0)]


def _recovered(last: Span, watched_ns: int) -> int | None:
    """Return when users were served again for good, if that was before healing and watched for a hold."""
    return last.end_ns if last.held and last.end_ns is not None and last.end_ns <= watched_ns else None
