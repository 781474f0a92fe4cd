"""When somebody saw the fault: its evidence, the platform itself, and the suite's own probes. Three figures, never one for another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from history.kinds import EVERY
from history.schema import EventKind
from verdict.case import Case
from verdict.shared.health import health_claims, serving_claims
from verdict.shared.once import once
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.targets import roles_hit, target_pods
from verdict.words import seconds


class Signal(NamedTuple):
    """The platform noticed something."""

    t_ns: int
    what: str
    about: str = ""  # the pod or node


@measure("s", EVERY)
def time_to_confirm(case: Case) -> Value:
    """From t_fault until the last evidence probe saw the effect, independently of who caused it. Source: fault.confirmed events."""
    confirmed = case.timeline.all(EventKind.FAULT_CONFIRMED)
    if case.recovery is None or not confirmed:
        return NO_FAULT if case.recovery is None else Value(None, "no effect was confirmed")
    return Value(case.after_fault_s(confirmed[-1].t_ns), confirmed[-1].object)


@measure("s", EVERY)
def time_to_detection(case: Case) -> Value:
    """From t_fault until the platform itself noticed: its probes, controllers and balancers, never the suite's.

    It is the first of these. A pod or a node loses Ready. A pod leaves the ready endpoints. A node has fewer allocatable accelerators.
    Kubernetes writes an Event of type Warning about a pod of a role, or about a node. What no object of Kubernetes says is not seen: an
    alert, or a balancer that checks for itself. Where the first is about a role that was not hit, that is said, with the first of what was
    hit. It explains a recovery and is no part of the RTO. Source: events.
    """
    first = first_signal(case)
    return _noticed(case, first and first._replace(what=first.what + _aside(case, first)), "the platform showed no sign of it")


@measure("s", EVERY)
def suite_detection(case: Case) -> Value:
    """From t_fault until the suite's own probes saw something wrong, which says nothing about whether the platform noticed.

    It is the first of these. A hypothesis probe is unmet. A replica does not answer well when it is asked, or its node is not heard of.
    Source: hypothesis events, health and node_heard samples.
    """
    return _noticed(case, _first_after(case, _seen_by_suite(case)), "the suite's probes saw nothing wrong")


def _noticed(case: Case, first: Signal | None, otherwise: str) -> Value:
    if case.recovery is None:
        return NO_FAULT
    return Value(case.after_fault_s(first.t_ns), first.what) if first else Value(None, otherwise)


def _aside(case: Case, first: Signal) -> str:
    """Return whose ``first`` is, where it is not of what was hit, and what was the first that is; empty: it is, or nobody knows."""
    hit = {*target_pods(case), *(one.node for one in case.run.plan.targets if one.node)}
    roles = roles_hit(case)
    named = case.timeline.all(EventKind.POD_READY, EventKind.POD_CREATED, EventKind.POD_SCHEDULED)
    role = next((str(event.detail["role"]) for event in named if event.object == first.about and event.detail.get("role")), "")
    if first.about in hit or roles is None or role in roles or case.control:
        return ""
    own = _first_after(case, (one for one in _signals(case) if one.about in hit))
    seen = f"{own.what} after {seconds(case.after_fault_s(own.t_ns))}" if own else "nothing"
    return f", {f'of role {role}, ' if role else ''}which was not hit; of what was hit, the first sign: {seen}"


@once
def first_signal(case: Case) -> Signal | None:
    """Return the platform's first sign of the fault, if any."""
    return _first_after(case, _signals(case))


def _first_after(case: Case, signals: Iterator[Signal]) -> Signal | None:
    if case.recovery is None:
        return None
    return min((signal for signal in signals if signal.t_ns >= case.recovery.fault_ns), default=None)


def _seen_by_suite(case: Case) -> Iterator[Signal]:
    for event in case.timeline.all(EventKind.HYPOTHESIS):
        if event.detail.get("met") is False:
            yield Signal(event.t_ns, f"hypothesis probe {event.object} was unmet")
    health = health_claims(case)
    for pod, claims in serving_claims(case).items():
        what = f"health of {pod} was not green" if pod in health else f"{pod} did not serve when asked"
        yield from (Signal(claim.start_ns, what) for claim in claims if not claim.green)


def _signals(case: Case) -> Iterator[Signal]:
    names = {
        EventKind.POD_UNREADY: "lost Ready",
        EventKind.ENDPOINT_OUT: "left the ready endpoints",
        EventKind.NODE_UNREADY: "lost Ready (node)",
    }
    for kind, what in names.items():
        yield from (Signal(event.t_ns, f"{event.object} {what}", event.object) for event in case.timeline.all(kind))
    yield from _warnings(case)
    yield from _lost_accelerators(case)


def _warnings(case: Case) -> Iterator[Signal]:
    """Yield Kubernetes' Warnings about pods of roles and about nodes; others may have nothing to do with the platform."""
    pods = {event.object for event in case.timeline.all(EventKind.POD_READY, EventKind.POD_CREATED)}
    for event in case.timeline.all(EventKind.KUBE_EVENT):
        about = event.detail.get("kind")
        if event.detail.get("type") == "Warning" and (about == "Node" or event.object in pods):
            yield Signal(event.t_ns, f"Kubernetes warned: {event.detail.get('reason')} of {event.object}", event.object)


def _lost_accelerators(case: Case) -> Iterator[Signal]:
    before: dict[str, float] = {}
    for event in case.timeline.all(EventKind.GPU_ALLOCATABLE):
        now = event.number("allocatable")
        if now is None:
            continue
        if now < before.get(event.object, event.number("capacity") or now):
            yield Signal(event.t_ns, f"{event.object} has fewer allocatable accelerators", event.object)
        before[event.object] = now
