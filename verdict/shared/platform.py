"""The fault as the platform saw it, and how far that was from what users felt."""

from __future__ import annotations

import polars as pl

from history.kinds import REQUESTS
from history.schema import EventKind, Series
from verdict.case import Case
from verdict.inputs.recovery import Recovery
from verdict.shared.capacity import Capacity, capacity_of
from verdict.shared.health import Claim, all_green_ns, health_claims, readiness_claims, serving_claims
from verdict.shared.ready import Spell, spells_of
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.starvation import starved_ns
from verdict.shared.targets import target_pods
from verdict.words import seconds


@measure("s", REQUESTS)
def full_capacity(case: Case) -> Value:
    """From t_fault until as many replicas of every role as desired could serve, and stayed so until healing; 0 if that never changed.

    A replica can serve if its condition says Ready and it answers well when asked: its role's health endpoint, or what its readiness probe
    asks. Where neither is there, its node must be heard of. (Kubernetes goes on calling a replica Ready after a power cut.) Replicas that
    may run only on nodes which the fault took away are not waited for: they can be back only with these. The value is a
    lower bound if they were not all back when watching ended. Source: pod.ready, pod.unready and pod.gone events, health and node_heard
    samples; ready_replicas samples where the events do not say how many were ready before the fault.
    """
    return capacity_value(case, capacity_of(case))


@measure("s", REQUESTS)
def readiness_rto(case: Case) -> Value:
    """How long recovery took for a tool that trusts Kubernetes readiness: until all replicas were Ready again, 0 if none lost Ready.

    Source: as full_capacity, without what replicas answered.
    """
    capacity = capacity_of(case, trust_readiness=True)
    value = capacity_value(case, capacity)
    return value if value.value is None or capacity.dropped else Value(0.0, "no replica lost Ready")


@measure("s", REQUESTS)
def readiness_gap(case: Case) -> Value:
    """How much longer users waited than readiness said: rto - readiness_rto.

    Positive: users were not served yet when readiness said that all was well. Negative: they were served before it said so.
    Source: requests, as full_capacity.
    """
    ready = readiness_rto(case)
    if case.recovery is None or ready.value is None or ready.censored or case.recovery.rto_s is None:
        return NO_FAULT if case.recovery is None else Value(None, ready.sentence or "one of the two is not known")
    return Value(case.recovery.rto_s - ready.value)


@measure("s", REQUESTS)
def wrong_green(case: Case) -> Value:
    """How long every replica said it was healthy while users were in an outage: false healthy, or wrong green.

    An answer counts until the next one; a green one for at most three usual periods. Without health samples Kubernetes readiness takes
    their place. What Kubernetes said meanwhile is false_ready. Source: health samples (pod events), requests.
    """
    if case.recovery is None:
        return NO_FAULT
    claims, source = _claims(case)
    if not claims:
        return Value(None, "neither health nor readiness was recorded")
    spans = [(s.start_ns, min(s.end_ns or case.recovery.watched_ns, case.recovery.watched_ns)) for s in case.recovery.outages]
    return Value(sum(all_green_ns(claims, span) for span in spans) / 1e9, source)


@measure("s", REQUESTS)
def false_ready(case: Case) -> Value:
    """How long Kubernetes called a replica Ready after t_fault that did not serve when it was asked, or whose node was not heard of.

    Of several replicas, the longest. Users need not have noticed. It is exact to the period of the samples. Source: pod events, health and
    node_heard samples.
    """
    if case.recovery is None:
        return NO_FAULT
    if not serving_claims(case):
        return Value(None, "no replica was asked whether it serves")
    lied = {pod: _unserved_ns(spells, case.recovery) for pod, spells in spells_of(case).items()}
    pod, lasted_ns = max(lied.items(), key=lambda item: item[1], default=("", 0))
    return Value(lasted_ns / 1e9, pod if lasted_ns else "no replica was Ready and did not serve")


def _unserved_ns(spells: tuple[Spell, ...], recovery: Recovery) -> int:
    """Return for how long (ns) after the fault a pod's condition said Ready while it did not serve."""
    ends = ((spell, recovery.watched_ns if spell.end_ns is None else min(spell.end_ns, recovery.watched_ns)) for spell in spells)
    return sum(max(0, end_ns - max(spell.start_ns, recovery.fault_ns)) for spell, end_ns in ends if not spell.served)


@measure("s", REQUESTS)
def target_green(case: Case) -> Value:
    """How long after t_fault the faulted replica went on to say it was healthy: until it said otherwise, lost Ready or left the endpoints.

    Of several replicas, the longest; a faulted node stands for the pods on it. The value is a lower bound if the replica said so for as
    long as it was watched.
    Source: health samples (pod events), plan.
    """
    if case.recovery is None:
        return NO_FAULT
    claims, source = _claims(case)
    asked = [pod for pod in target_pods(case) if pod in claims]  # a node also hosts pods whose health nobody asks
    stayed = [green for pod in asked if (green := _green_s(case, pod, claims[pod]))]
    return max(stayed, key=lambda value: value.value or 0.0) if stayed else Value(None, f"no {source} of a faulted replica was recorded")


def capacity_value(case: Case, capacity: Capacity) -> Value:
    """Return the time to full capacity (s)."""
    if case.recovery is None:
        return NO_FAULT
    if capacity.unknown:
        return Value(None, capacity.unknown)
    if capacity.full_ns is None:
        return Value(
            case.after_fault_s(case.recovery.watched_ns),
            f"{capacity.ready:g} of {capacity.desired} replicas were {capacity.ready_in_words} at the end",
            censored=True,
        )
    return Value(case.after_fault_s(capacity.full_ns), "" if capacity.dropped else "no replica was lost")


def _claims(case: Case) -> tuple[dict[str, list[Claim]], str]:
    health = health_claims(case)
    return (health, "health") if health else (readiness_claims(case), "readiness")


def _green_s(case: Case, pod: str, claims: list[Claim]) -> Value | None:
    assert case.recovery is not None  # noqa: S101 - told by target_green
    start_ns = case.recovery.fault_ns
    later = [claim for claim in claims if claim.end_ns > start_ns]
    left = [
        e.t_ns
        for e in case.timeline.all(EventKind.POD_UNREADY, EventKind.ENDPOINT_OUT, EventKind.POD_GONE)
        if e.object == pod and e.t_ns >= start_ns
    ]
    ends = [max(claim.start_ns, start_ns) for claim in later if not claim.green] + left
    if not later and not ends:
        return None
    if ends:
        return Value((min(ends) - start_ns) / 1e9, pod)
    watched_s = (min(later[-1].end_ns, case.recovery.watched_ns) - start_ns) / 1e9
    return Value(watched_s, f"{pod} was still green after {seconds(watched_s)}", censored=True)


@measure("ratio", REQUESTS)
def machine_pressure(case: Case) -> Value:
    """Share of the time after the fault in which some task waited for a processor of the machine that platform and suite share.

    It is near 1 wherever low-priority work fills the machine, so it explains nothing by itself. Source: machine_pressure samples (PSI,
    "some").
    """
    return _of_machine(case, Series.MACHINE_PRESSURE)


@measure("ratio", REQUESTS)
def machine_others(case: Case) -> Value:
    """Share of that machine's processors that others than the platform used after the fault; low-priority work is left out.

    The suite's own load is among the others. Source: machine_others samples.
    """
    return _of_machine(case, Series.MACHINE_OTHERS)


@measure("s", REQUESTS)
def machine_starved(case: Case) -> Value:
    """How long after the fault that machine was starved: at most 2 % of its processors idle, and a third or more used by others.

    A control run that breaks its bounds only by requests of that time is inconclusive. Source: machine_idle, machine_others samples.
    """
    known = _of_machine(case, Series.MACHINE_OTHERS)
    if known.value is None or case.recovery is None:
        return known
    spans = starved_ns(case).clip(case.recovery.fault_ns, case.recovery.watched_ns)
    return Value(float((spans[:, 1] - spans[:, 0]).sum()) / 1e9)


def _of_machine(case: Case, series: Series) -> Value:
    """Return the mean of one of the machine's series from the fault on."""
    if case.recovery is None:
        return NO_FAULT
    within = pl.col("t_ns").is_between(case.recovery.fault_ns, case.recovery.watched_ns)
    mean = case.run.samples.filter((pl.col("series") == series.value) & within).select(pl.col("value").mean()).item()
    return Value(None, "not recorded: platform and suite share no machine") if mean is None else Value(float(mean))
