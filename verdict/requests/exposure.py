"""Whether users' requests met the replicas that were hit: check ``exposure``. A fault that nobody could meet shows nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from history.kinds import REQUESTS
from history.result import Check
from history.schema import EventKind
from verdict.case import Case
from verdict.requests.routing import Routing, routing_of
from verdict.shared.once import once
from verdict.shared.registry import Cause, Role, Value, check, measure
from verdict.shared.results import Figures, inconclusive, passed
from verdict.shared.targets import target_pods
from verdict.statistics import bad_in_a_row, mean_for
from verdict.words import count, seconds

NOT_CHECKED = "the fault hit no replica of the serving role, or all of them"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Which of the ``serving`` replicas were ``hit``, how their requests were routed before, and how many met those that were hit.

    ``requests`` is ``None`` if the routing is not known.
    """

    hit: frozenset[str]
    serving: frozenset[str]
    routing: Routing
    span_s: float
    requests: float | None


@measure("requests", REQUESTS)
def requests_exposed(case: Case) -> Value:
    """How many requests met the replicas that were hit, or would have by the routing of before the fault.

    Counted are requests under way at t_fault and those made while the fault lasted: for its own length, or for the RTO's budget if that is
    shorter or the fault has no length. Their number is multiplied by the share of the baseline's answers that came from these replicas.
    Where connections are shared and each leads to one replica, only requests on connections that lead to one that was hit count, since the
    others keep away from it. Source: requests, events, health samples.
    """
    found = exposure_of(case)
    if found is None:
        return Value(None, NOT_CHECKED)
    return Value(found.requests, "" if found.requests is not None else found.routing.source)


@check(REQUESTS, Role.GATE, title="Met by requests", cause=Cause.LOAD)
def exposure(case: Case) -> Check | None:
    """Check that enough requests met the replicas that were hit, where these are some and not all of the role that serves the requests.

    Enough: with 95 % as many as make an outage if none of them is good, three at an SLO of 99 %. It is not made where every replica was
    hit, since every request meets the fault then, nor where no replica of the role was: who answers says nothing of a gateway.
    """
    found = exposure_of(case)
    if found is None:
        return None
    needed = mean_for(bad_in_a_row(case.slo.ratio))
    whom = f"the {'replica that was' if len(found.hit) == 1 else 'replicas that were'} hit ({len(found.hit)} of {len(found.serving)})"
    if found.requests is None:
        return inconclusive("exposure", _unknown(case, found, whom), budget=needed, unit="requests")
    figures = Figures(measured=found.requests, budget=needed, unit="requests")
    said = f"{_about(found.requests)} met {whom} in {seconds(found.span_s)}, {found.routing.source}"
    if found.requests >= needed:
        return passed("exposure", f"{said}; {needed:.1f} are needed to show an outage there.", **figures)
    return inconclusive(
        "exposure", f"Only {said}; {needed:.1f} are needed to show an outage there: {_advice(case, found, needed)}.", **figures
    )


@once
def exposure_of(case: Case) -> Exposure | None:
    """Return how many requests met the replicas that were hit; ``None``: none of the serving role was hit, or all, or it is a control."""
    if case.control or case.recovery is None or not case.workload.role:
        return None
    serving = serving_at_fault(case)
    hit = serving & _hit(case)
    if not hit or hit == serving:
        return None
    routing = routing_of(case, hit, serving)
    start_ns, end_ns = case.recovery.fault_ns, _end_ns(case)
    return Exposure(hit, serving, routing, (end_ns - start_ns) / 1e9, routing.met(case, start_ns, end_ns))


def serving_at_fault(case: Case) -> frozenset[str]:
    """Return the pods of the workload's role that were Ready when the fault began."""
    ready: set[str] = set()
    for event in case.timeline.all(EventKind.POD_READY, EventKind.POD_UNREADY, EventKind.POD_GONE):
        if case.recovery is None or event.t_ns >= case.recovery.fault_ns:
            break
        if event.detail.get("role") in {case.workload.role, None}:
            (ready.add if event.kind == EventKind.POD_READY else ready.discard)(event.object)
    return frozenset(ready)


def _hit(case: Case) -> frozenset[str]:
    """Return the pods that were hit; of a device that was, those on its node."""
    nodes = {target.node for target in case.run.plan.targets if target.kind == "Device"}
    homes = (event for event in case.timeline.all(EventKind.POD_READY) if event.detail.get("node") in nodes)
    return frozenset(target_pods(case)) | {event.object for event in homes}


def _end_ns(case: Case) -> int:
    """Return until when requests are counted (ns): the fault's own length or the RTO's budget, the shorter, if it was watched so long."""
    assert case.recovery is not None  # noqa: S101 - told by exposure_of
    lasting = [limit_s for limit_s in (case.run.plan.timers.fault_s, case.workload.budgets.rto_s) if limit_s]
    watched_ns = case.recovery.watched_ns
    return min([watched_ns, *(case.recovery.fault_ns + int(limit_s * 1e9) for limit_s in lasting)])


def _unknown(case: Case, found: Exposure, whom: str) -> str:
    fair = len(found.hit) / len(found.serving)
    ask = "" if case.load.connections.mode == "each_request" else ", or connect for each_request to a Service without session affinity"
    return (
        f"How many requests met {whom} is not known: {found.routing.source}. A fair share would be {100 * fair:.0f} %, but routers that "
        f"stick, look at prefixes or at load give none. Let answers name their pod in the header x-pod{ask}."
    )


def _advice(case: Case, found: Exposure, needed: float) -> str:
    mode, rate = case.load.connections.mode, case.load.rate_rps
    if mode == "shared":
        return "let users have connections of their own (connections: users or each_request), as real ones do"
    if not found.requests:
        return "no answer came from there before the fault; see whether it serves these users at all"
    more = f"raise the rate to {math.ceil(10 * rate * needed / found.requests) / 10:g} requests/s"
    return f"{more}, or connect for each_request" if mode == "users" and found.routing.pinned else more


def _about(requests: float) -> str:
    return count(round(requests), "request") if requests >= 1 else "less than 1 request"
