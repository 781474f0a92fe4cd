"""Causes in how long the platform's own timers let a recovery take. What shorter ones would bring is a floor, not a forecast."""

from __future__ import annotations

from history.layout import Advice
from verdict.advice.observed import Observed
from verdict.words import count, seconds

SHORTER_S = 30.0  # a toleration that outlasts a kubelet's restart and little more
CHECK_S, CHECKS = 5.0, 3  # a liveness probe that notices a hang within 15 s
HALF = 0.5  # of what was observed: then it dominates
CONTAINER = "spec.template.spec.containers[]"


def long_toleration(seen: Observed) -> Advice | None:
    """Find pods that stayed bound to a lost node for most of the time."""
    stays_s = seen.role.toleration_s
    if not seen.on_nodes or seen.graceful or not seen.slow or stays_s <= SHORTER_S:
        return None
    stays = "for ever" if stays_s == float("inf") else f"for {seconds(stays_s)}"
    text = f"Pods of {seen.role.where} stay bound to a lost node {stays}: with tolerationSeconds {SHORTER_S:g} what it served"
    return Advice(
        cause="long-toleration", where=seen.role.where, field="spec.template.spec.tolerations[].tolerationSeconds",
        sentence=f"{text} can be back {_earlier(seen, stays_s)}.", explains_s=min(stays_s, seen.took_s), sure="likely",
    )  # fmt: skip


def _earlier(seen: Observed, stays_s: float) -> str:
    """Return what a shorter toleration would bring, by the floor where that is the eviction's own."""
    if seen.floor is not None and "tolerationSeconds" in seen.floor.dominant and stays_s != float("inf"):
        least_s = seen.floor.capacity_rto_s
        return f"after {seconds(least_s - stays_s + SHORTER_S)} at the earliest, not after {seconds(least_s)}"
    return "elsewhere while the node is away" if stays_s == float("inf") else f"{seconds(stays_s - SHORTER_S)} earlier"


def killed_while_loading(seen: Observed) -> Advice | None:
    """Find a liveness probe that ended a replica before it had loaded."""
    role = seen.role
    if role.liveness is None or role.startup is not None or not seen.slow or not seen.restarts:
        return None
    text = f"A new replica of {role.where} was started again {count(seen.restarts, 'time')} before it was ready"
    return Advice(
        cause="killed-while-loading", where=role.where, field=f"{CONTAINER}.startupProbe",
        sentence=f"{text}, and its liveness probe allows {seconds(role.liveness.allows_s)}: a startupProbe that allows several times "
        "that keeps it from being killed meanwhile.", explains_s=seen.took_s, sure="seen",
    )  # fmt: skip


def slow_liveness(seen: Observed) -> Advice | None:
    """Find a hung container that its liveness probe let be for most of the time."""
    probe = seen.role.liveness
    if probe is None or not seen.slow or seen.ranks_again or seen.floor is None or not seen.floor.dominant.startswith("livenessProbe"):
        return None
    now_s, then_s = probe.period_s * probe.failures, CHECK_S * CHECKS
    if now_s <= then_s:
        return None
    text = f"A hung container of {seen.role.where} is started again after {probe.failures} failed checks, {seconds(probe.period_s)} apart"
    return Advice(
        cause="slow-liveness", where=seen.role.where, field=f"{CONTAINER}.livenessProbe.periodSeconds",
        sentence=f"{text}: with {CHECKS} checks, {CHECK_S:g} s apart, that is {seconds(now_s - then_s)} earlier.",
        explains_s=min(now_s, seen.took_s),
    )  # fmt: skip


def no_liveness(seen: Observed) -> Advice | None:
    """Find a hung container that nobody ever started again."""
    if seen.role.liveness is not None or not (seen.hung or seen.stays) or seen.on_nodes or not seen.slow or seen.ranks_again:
        return None
    text = f"What was hit of {seen.role.where} was neither gone nor started again, and it has no liveness probe"
    return Advice(
        cause="no-liveness", where=seen.role.where, field=f"{CONTAINER}.livenessProbe",
        sentence=f"{text}: with one of {CHECKS} checks, {CHECK_S:g} s apart, it is started anew {CHECK_S * CHECKS:g} s after it hangs.",
        explains_s=seen.took_s * HALF,
    )  # fmt: skip


def late_first_check(seen: Observed) -> Advice | None:
    """Find a replica that nobody asked whether it was ready for most of the time."""
    first_s = seen.role.first_check_s
    if not seen.slow or first_s < HALF * max(seen.of("phase_load"), 1.0) or seen.of("phase_load") == 0:
        return None
    text = f"A new replica of {seen.role.where} is not asked whether it is ready before {seconds(first_s)} (initialDelaySeconds)"
    return Advice(
        cause="late-first-check", where=seen.role.where, field=f"{CONTAINER}.startupProbe.periodSeconds",
        sentence=f"{text}: a startupProbe every second, without a delay, lets it serve as soon as it has loaded.", explains_s=first_s,
    )  # fmt: skip


def slow_load(seen: Observed) -> Advice | None:
    """Find that starting and loading took most of the time: no timer of the platform's shortens that."""
    took_s = seen.of("phase_start") + seen.of("phase_load")
    if not seen.slow or took_s < HALF * seen.took_s or took_s <= seen.role.first_check_s / HALF:
        return None
    parts = f"start {seconds(seen.of('phase_start'))}, load {seconds(seen.of('phase_load'))}"
    text = f"Starting and loading took {seconds(took_s)} of {seconds(seen.took_s)} ({parts}), and no timer shortens that"
    return Advice(
        cause="slow-load", where=seen.role.where, field="spec.replicas",
        sentence=f"{text}: a spare replica serves meanwhile; image and weights kept on the node make it shorter.", explains_s=took_s,
    )  # fmt: skip
