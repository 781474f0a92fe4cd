"""Requests that were under way when the fault struck, and which of them it hurt: on its targets (direct) and elsewhere (collateral)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from history.kinds import REQUESTS
from history.schema import EventKind
from verdict.case import Case
from verdict.inputs.attempts import Bools, Ints
from verdict.inputs.reasons import LATER, NEVER_NS, Reason
from verdict.requests.hit_share import answered_share
from verdict.requests.reasons import counts
from verdict.shared.once import once
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.targets import target_pods
from verdict.shared.window import NONE, before, of_fault, under_way
from verdict.statistics import at_most_share, most_by_chance
from verdict.words import count, listed

BECAME = {Reason.CUT: "cut", Reason.LATE: "late", Reason.STALLED: "stalled", Reason.WRONG: "wrong", Reason.REFUSED: "refused"}
"""What a request became, in a sentence; the rest is named as its reason."""

OK = 200


class Groups(NamedTuple):
    """The arrivals that were under way at the fault (indices), by where they were."""

    direct: Ints  # answered by a target of the fault
    elsewhere: Ints  # answered by another pod
    unknown: Ints  # no answer named a pod, its way there may have been hit, or another pod answered late what was on a target first

    def bad(self, case: Case) -> Groups:
        """Return those of each group that were not good."""
        return Groups(*(group[~case.arrivals.good[group]] for group in self))


@measure("requests", REQUESTS)
def requests_under_way(case: Case) -> Value:
    """How many requests were under way at t_fault: asked before it, and neither answered nor certain to be bad. Source: requests."""
    return Value(len(under_way(case))) if case.recovery else NO_FAULT


@measure("requests", REQUESTS)
def requests_interrupted(case: Case) -> Value:
    """Bad requests that were under way at t_fault: cut, stalled, late or failed. Source: requests.

    They count in availability and in requests_bad. Those that were answered before the fault are the baseline's.
    """
    if case.recovery is None:
        return NO_FAULT
    bad = hurt(case)
    why = listed(f"{number:,} {reason.word}" for reason, number in counts(case, bad)) if len(bad) else ""
    return Value(len(bad), why)


@measure("requests", REQUESTS)
def interrupted_direct(case: Case) -> Value:
    """How many of requests_interrupted were answered by a target of the fault, as the answer's header says. Source: requests, plan."""
    return Value(len(groups(case).bad(case).direct)) if case.recovery else NO_FAULT


@measure("requests", REQUESTS)
def interrupted_collateral(case: Case) -> Value:
    """How many of requests_interrupted were answered by a pod that is no target of the fault. Source: requests, plan.

    Where the fault also hit pods of another role, such as a gateway on the same node, a request may have been hurt on its way: unknown.
    """
    return Value(len(groups(case).bad(case).elsewhere)) if case.recovery else NO_FAULT


@measure("requests", REQUESTS)
def interrupted_unknown(case: Case) -> Value:
    """How many of requests_interrupted may have been on a target or not, since no header says which pod they were on. Source: requests."""
    return Value(len(groups(case).bad(case).unknown)) if case.recovery else NO_FAULT


@measure("requests", REQUESTS)
def interrupted_leaving(case: Case) -> Value:
    """Answers that were broken off while the targets of a graceful fault left: asked after t_fault, and cut, or ended by an error.

    They count in requests_bad, not in requests_interrupted. Only of a fault that lets what it ends finish. Source: requests.
    """
    if case.recovery is None:
        return NO_FAULT
    return Value(len(broken_off(case))) if case.run.plan.graceful else Value(None, "the fault is not graceful")


@once
def broken_off(case: Case) -> Ints:
    """Return the arrivals of after the fault whose answer had begun, or was cut, and was not whole in the end (indices)."""
    asked = of_fault(case, case.recovery.watched_ns)[len(under_way(case)) :] if case.recovery else NONE
    return _broken_off(case, asked)


def _broken_off(case: Case, among: Ints) -> Ints:
    status = np.append(case.run.requests["status"].fill_null(0).to_numpy(), 0)  # the last: of what was never recorded
    reason, begun = case.arrivals.reason[among], status[case.arrivals.row[among]] == OK
    return np.asarray(among[(reason == Reason.CUT) | ((reason == Reason.ERROR) & begun)])


def usually_broken_off(case: Case) -> int:
    """Return how many of those asked after the fault would be broken off as some were before it; 0 if none was."""
    usual, asked = before(case), of_fault(case, case.recovery.watched_ns) if case.recovery else NONE
    seen = len(_broken_off(case, usual))
    return most_by_chance(len(asked), at_most_share(seen, len(usual))) if seen else 0


def hurt(case: Case) -> Ints:
    """Return the requests under way at the fault that were not good in the end (indices)."""
    found = under_way(case)
    return np.asarray(found[~case.arrivals.good[found]])


def hurt_in_words(case: Case) -> str:
    """Return ``39 of 39 answers under way were cut``; of several reasons ``… were hurt (10 cut, 3 late)``; empty: none was hurt."""
    bad = hurt(case)
    why = counts(case, bad)
    if not why:
        return ""
    became = BECAME.get(why[0][0]) if len(why) == 1 else None
    were = became or f"hurt ({listed(f'{number:,} {reason.word}' for reason, number in why)})"
    return f"{len(bad):,} of {count(len(under_way(case)), 'answer')} under way {'was' if len(bad) == 1 else 'were'} {were}"


def unnoticed(case: Case) -> str:
    """Return that there was no outage, in words that do not say that nobody noticed if somebody under way was hurt."""
    after = "" if case.run.plan.experiment.fault == "none" else " after the fault"
    caught = hurt_in_words(case)
    return f"No outage for whoever asked{after}; {caught}" if caught else f"Users noticed no outage{after}"


@once
def groups(case: Case) -> Groups:
    """Return the requests under way at the fault by where they were. Of a control all are elsewhere: nobody depends on its target."""
    found = under_way(case)
    if case.control or not len(found):
        return Groups(NONE, found, NONE)
    pods, targets = _pods(case, found), set(target_pods(case))
    direct = np.array([pod in targets for pod in pods], dtype=np.bool_)
    unknown = np.array([pod is None for pod in pods], dtype=np.bool_)
    if _other_roles(case):  # the header names who answered, not who passed it on
        unknown = ~direct
    unknown |= _sent_anew(case, found, ~direct & ~unknown)
    return Groups(found[direct], found[~direct & ~unknown], found[unknown])


def _sent_anew(case: Case, found: Ints, elsewhere: Bools) -> Bools:
    """Tell which of the arrivals ``found`` may have been on a target before another pod answered: late, and not begun at the fault.

    A gateway sends a request anew when its pod does not answer, and the header names the last one. None, where the fault lets requests
    finish, or where so many were hurt that the targets' share of requests can't explain them.
    """
    share, none = _share_on_targets(case), np.zeros(len(found), dtype=np.bool_)
    if share is None or case.run.plan.graceful or case.recovery is None:
        return none
    first = np.append(case.run.requests["first_byte_ns"].fill_null(NEVER_NS).to_numpy(), NEVER_NS)  # the last: of what was never recorded
    begun = first[case.arrivals.row[found]] <= case.recovery.fault_ns
    anew = elsewhere & ~begun & (case.arrivals.reason[found] == Reason.LATE)
    hurt_there = int((anew | (~elsewhere & ~case.arrivals.good[found])).sum())
    return anew if hurt_there <= most_by_chance(len(found), share) else none


def more_than_on_targets(case: Case, bad: Groups) -> str:
    """Return why the hurt requests whose pod is unknown may have been elsewhere; empty if the targets' share of requests explains them.

    The share is measured where answers name their pod: that of the targets before the fault. Of pods of another role that were hit it is
    the fair one.
    """
    share = _share_on_targets(case)
    if share is None:
        return "no answer says which pod it is of: let the platform name it in the header x-pod"
    most = most_by_chance(len(under_way(case)), share)
    at_all = len(bad.direct) + len(bad.unknown)
    return f"{at_all:,} were hurt, and hardly more than {most:,} were on the targets" if at_all > most else ""


def by_themselves(case: Case, group: Ints, bad: Ints) -> int:
    """Return how many of ``bad`` are late or stalled as some are without a fault, by what the baseline shows of it."""
    like = int(np.isin(case.arrivals.reason[bad], LATER).sum())
    if not like:
        return 0
    usual = before(case)
    seen = int(np.isin(case.arrivals.reason[usual], LATER).sum())
    return min(like, most_by_chance(len(group), at_most_share(seen, len(usual))))


def _pods(case: Case, found: Ints) -> list[str | None]:
    """Return which pod answered each of the arrivals ``found``: the first attempt that was under way and has a header."""
    place = np.full(case.run.schedule.height + 1, -1)  # the last: of no request
    place[case.arrivals.scheduled[found]] = np.arange(len(found))
    assert case.recovery is not None  # noqa: S101 - nothing is under way without one
    rows = np.flatnonzero((place[case.attempts.position] >= 0) & (case.attempts.decided_ns >= case.recovery.fault_ns))
    rows = rows[np.argsort(-case.attempts.number[rows], kind="stable")]
    pods: list[str | None] = [None] * len(found)
    for index, pod in zip(place[case.attempts.position[rows]], case.run.requests["pod"].gather(rows).to_list(), strict=True):
        pods[index] = pod or pods[index]
    return pods


def _roles(case: Case) -> dict[str, str]:
    """Return the role of each pod that was ever seen."""
    return {event.object: str(event.detail.get("role", "")) for event in case.timeline.all(EventKind.POD_READY)}


def _other_roles(case: Case) -> dict[str, int]:
    """Return how many pods of each role the fault hit, but for the role that serves the workload."""
    serving, roles = case.workload.role, _roles(case)
    hit = [role for pod in target_pods(case) if (role := roles.get(pod, "")) and serving and role != serving]
    return {role: hit.count(role) for role in hit}


def _share_on_targets(case: Case) -> float | None:
    """Return which share of requests was on a target of the fault, of those that passed one on or answered; ``None``: not known."""
    others, desired, targets = _other_roles(case), case.run.plan.replicas_desired, target_pods(case)
    elsewhere = math.prod(1 - min(1.0, hit / desired[role]) if desired.get(role) else 0.0 for role, hit in others.items())
    answered = answered_share(case, targets)
    if answered is not None:
        return 1 - elsewhere * (1 - answered)
    serving = sum(_roles(case).get(pod, case.workload.role) == case.workload.role for pod in targets)
    return 1.0 if serving >= desired.get(case.workload.role, math.inf) or elsewhere <= 0 else None
