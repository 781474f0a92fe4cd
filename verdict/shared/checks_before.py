"""Whether the platform was well before, was hit, and that is known: checks ``baseline``, ``fault`` and ``evidence``."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from history.kinds import EVERY, REQUESTS
from history.plan import Phase
from history.result import Check
from history.schema import EventKind
from verdict.case import Case
from verdict.inputs.evaluations import Said, evaluations_of
from verdict.inputs.outages import Rule, find_outages
from verdict.shared.differing import before_fault
from verdict.shared.registry import Cause, Role, check
from verdict.shared.results import inconclusive, passed, unless
from verdict.shared.targets import short, target_pods, touched
from verdict.shared.window import before
from verdict.statistics import arrivals_needed
from verdict.words import count, listed, percent, plain, seconds

AT_ONCE_NS = 100_000_000
"""What is seen this much before the fault was stamped may be the order of two threads."""
NEARLY = 0.95
"""A baseline may be this much shorter than planned: the clock of the load and that of the runner start apart."""


@check(REQUESTS, Role.GATE, title="Healthy before the fault", cause=Cause.BASELINE)
def baseline(case: Case) -> Check:
    """Check that users were served within the SLO, and the hypothesis held, all through a long enough baseline."""
    span = case.baseline_ns
    if span is None:
        return inconclusive("baseline", "There was no baseline, so nobody knows how the platform was before.")
    good = case.arrivals.good[before(case)]
    lasted_s = (span[1] - span[0]) / 1e9
    share = float(good.mean()) if len(good) else 0.0
    well = f"Before the fault users were served for {seconds(lasted_s)}: {percent(share)} of {count(len(good), 'request')} were good."
    problems = [*_too_short(case, lasted_s, len(good)), *_unserved(case, span), *_hypothesis_before(case)]
    return unless(
        "baseline",
        problems,
        "The platform was not shown to be well before the fault",
        well,
        measured=share,
        budget=case.slo.ratio,
        unit="ratio",
    )


def _too_short(case: Case, lasted_s: float, arrived: int) -> Iterator[str]:
    planned, needed = case.run.plan.timers.baseline_s, arrivals_needed(case.slo.ratio)
    if lasted_s < NEARLY * planned:
        yield f"the baseline lasted {seconds(lasted_s)} of {seconds(planned)}"
    if arrived < needed:
        yield f"it has {count(arrived, 'request')}, {needed:,} are needed to say that {percent(case.slo.ratio)} are served"


def _unserved(case: Case, span: tuple[int, int]) -> Iterator[str]:
    ratio = case.slo.ratio
    inside = before(case)
    t_ns, good = case.arrivals.t_ns[inside], case.arrivals.good[inside]
    if len(good) and good.mean() < ratio:
        yield f"{percent(float(good.mean()))} of its requests were good, {percent(ratio)} are needed"
    detected = find_outages(t_ns, good, Rule(ratio, int(case.run.plan.timers.hold_s * 1e9)), span[1])
    if detected.outages:
        yield f"{count(len(detected.outages), 'outage')} began before the fault"
    attempts = case.attempts
    wrong = attempts.acknowledged & ~attempts.right & (attempts.intended_ns >= span[0]) & (attempts.decided_ns < span[1])
    if wrong.any():
        yield f"{count(int(np.count_nonzero(wrong)), 'answer was', 'answers were')} wrong"
    yield from _differing(case)


def _differing(case: Case) -> Iterator[str]:
    """Yield that more answers differ without a fault than the class allows."""
    found, allowed = before_fault(case), case.answers.may_differ
    if allowed and found.surely_more_than(allowed):
        yield f"{found.text} differ from the known ones, the class allows {percent(allowed)}"


def _hypothesis_before(case: Case) -> Iterator[str]:
    assert case.baseline_ns is not None  # noqa: S101 - told by baseline
    if not case.run.plan.hypothesis_probes:
        yield "the hypothesis has no probe"
    end_ns = case.recovery.fault_ns if case.recovery else case.baseline_ns[1]
    yield from unmet_before(case, (case.baseline_ns[0], end_ns))


def unmet_before(case: Case, span: tuple[int, int]) -> Iterator[str]:
    """Yield which hypothesis probes were not asked, had no data or were unmet in ``span`` (ns)."""
    for probe in case.run.plan.hypothesis_probes:
        said = [e.said for e in evaluations_of(case.timeline, probe) if span[0] <= e.t_ns < span[1]]
        if not said:
            yield f"hypothesis probe {probe} was not asked"
        elif Said.NO_DATA in said:
            yield f"hypothesis probe {probe} had no data"
        elif Said.UNMET in said:
            yield f"hypothesis probe {probe} was unmet {count(said.count(Said.UNMET), 'time')}"


@check(EVERY, Role.GATE, title="Fault carried out", cause=Cause.FAULT)
def fault(case: Case) -> Check:
    """Check that every action of the method succeeded, on exactly the targets of the plan."""
    if case.run.plan.experiment.fault == "none":
        return _no_fault(case, "fault", "No fault was planned, and none was injected.")
    names = touched(case)
    done = f"The fault acted on {count(len(names), 'target')}: {listed(names)}."
    return unless(
        "fault", _not_as_planned(case), "The fault was not carried out as planned", done, measured=float(len(names)), unit="targets"
    )


def _not_as_planned(case: Case) -> Iterator[str]:
    for event in case.timeline.all(EventKind.FAULT_FAILED):
        yield f"{event.object} failed ({event.detail.get('error', 'no reason given')})"
    if not case.timeline.all(EventKind.FAULT_START):
        yield "nothing was injected"
        return
    planned = {target.name for target in case.run.plan.targets}
    acted = {name if name in planned else short(name) for name in touched(case)}
    if not acted:
        yield "it acted on no target"
    elif planned - acted:
        yield f"it acted on {len(planned & acted)} of {count(len(planned), 'planned target')}, not on {listed(sorted(planned - acted))}"
    yield from _hit_before(case)
    if acted - planned:
        yield f"it acted on {listed(sorted(acted - planned))}, which the plan does not name"


def _hit_before(case: Case) -> Iterator[str]:
    """Yield which targets were seen to suffer before the fault is said to have begun: every time counted from there is too short."""
    started, begun = case.timeline.first_ns(EventKind.FAULT_START), case.timeline.phase_ns(Phase.INJECT)
    if started is None or begun is None:
        return
    names = {target.name for target in case.run.plan.targets}
    kinds = (EventKind.POD_UNREADY, EventKind.POD_GONE, EventKind.ENDPOINT_OUT, EventKind.NODE_UNREADY, EventKind.NODE_CORDONED)
    for event in case.timeline.all(*kinds):
        if event.object in names and begun <= event.t_ns < started - AT_ONCE_NS:
            yield f"{event.object} was hit ({event.kind}) {seconds((started - event.t_ns) / 1e9)} before the fault is said to have begun"
            return


@check(EVERY, Role.GATE, title="Fault confirmed", cause=Cause.EVIDENCE)
def evidence(case: Case) -> Check:
    """Check that every evidence probe saw the fault's effect after it began and before anything was healed, and that it lasted.

    The evidence of a fault that is to last for a time is looked at again every few seconds. If it is gone early, the fault was smaller than
    planned, unless the platform restarted or replaced what was hit. Source: fault.confirmed, fault.unconfirmed, fault.evidence events.
    """
    if case.run.plan.experiment.fault == "none":
        return _no_fault(case, "evidence", "Without a fault there is nothing to prove.")
    seen = {event.object: event.t_ns for event in case.timeline.all(EventKind.FAULT_CONFIRMED)}
    after_s = case.after_fault_s(max(seen.values())) if seen else math.nan
    where = " on the decoy" if case.control else ""
    proven = f"The fault's effect was seen{where} {seconds(after_s)} after it began, by {listed(seen)}."
    return unless(
        "evidence", _unproven(case), "The fault was not proven to take effect", proven, measured=after_s if seen else None, unit="s"
    )


def _unproven(case: Case) -> Iterator[str]:
    for event in case.timeline.all(EventKind.FAULT_UNCONFIRMED):
        observed, within = event.detail.get("observed"), event.number("deadline_s")
        yield f"{event.object} saw {observed}" + (f" for {seconds(within)}" if within is not None else "")
    if not case.run.plan.evidence:
        yield "the plan names no evidence probe"
    started, heal_ns = case.timeline.first_ns(EventKind.FAULT_START), case.timeline.first_ns(EventKind.HEAL_START)
    confirmed = {event.object: event for event in case.timeline.all(EventKind.FAULT_CONFIRMED)}
    for probe in case.run.plan.evidence:
        seen = confirmed.get(probe)
        if seen is None:
            yield f"{probe} never saw it"
        elif started is None or seen.t_ns < started:
            yield f"{probe} saw it before the fault began"
        elif heal_ns is not None and seen.t_ns >= heal_ns:
            yield f"{probe} saw it only while the platform was being healed"
        elif seen.detail.get("observed") is None:
            yield f"{probe} did not say what it saw"
    yield from _ended_early(case)


def _ended_early(case: Case) -> Iterator[str]:
    """Yield which evidence of a fault that lasts was gone before its time, unless the platform replaced or restarted what was hit."""
    started, lasts_s = case.timeline.first_ns(EventKind.FAULT_START), case.run.plan.timers.fault_s
    looks = case.timeline.all(EventKind.FAULT_EVIDENCE)
    if started is None or not looks:
        return
    hit = set(target_pods(case))
    cleaned = case.timeline.all(EventKind.POD_STARTED, EventKind.POD_GONE)
    if any(event.object in hit and event.t_ns >= started for event in cleaned):
        return
    for probe in case.run.plan.evidence:
        early = (
            event for event in looks if event.object == probe and event.t_ns < started + lasts_s * 1e9
        )  # a look may end after the fault
        gone = next((event for event in early if event.detail.get("held") is False), None)
        if gone is not None:
            yield f"{probe} did not see it any more {seconds((gone.t_ns - started) / 1e9)} after it began, it was to last {plain(lasts_s)}"


def _no_fault(case: Case, name: str, sentence: str) -> Check:
    kinds = (EventKind.FAULT_START, EventKind.FAULT_CONFIRMED, EventKind.FAULT_FAILED)
    acted = case.timeline.all(*kinds)
    return (
        inconclusive(name, f"This is a null control, but {acted[0].object} recorded {acted[0].kind}.") if acted else passed(name, sentence)
    )
