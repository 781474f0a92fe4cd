"""Causes in what became of asynchronous jobs: who took them out of the queue, who took them over, and where the queue was kept."""

from __future__ import annotations

from history.layout import Advice
from verdict.advice.observed import Observed
from verdict.words import count, seconds

GONE = frozenset({"rpo_jobs", "ended_once", "fetched"})
"""Checks that fail where what was acknowledged is gone."""
HALF = 0.5
SEVERAL = 2  # starts of a container that nobody touched


def acknowledged_first(seen: Observed) -> Advice | None:
    """Find jobs that had left the queue before they ended: with their consumer they were gone."""
    lost = int(seen.of("jobs_lost"))
    if not (seen.own and lost and seen.failed & GONE) or seen.of("backlog_left") >= lost:
        return None
    text = f"{count(lost, 'accepted job')} never ended and did not stand in the queue any more when it was last seen"
    return _advice(
        seen, "acknowledged-first", "when a consumer acknowledges (XACK)",
        f"{text}: acknowledge a job when it has ended, and what a lost consumer had in hand is done by another one.",
    )  # fmt: skip


def never_reclaimed(seen: Observed) -> Advice | None:
    """Find jobs that stayed in the queue as a lost consumer's own."""
    lost = int(seen.of("jobs_lost"))
    if not (seen.own and lost and seen.failed & GONE) or seen.of("backlog_left") < lost:
        return None
    text = f"{count(lost, 'accepted job')} never ended and still stood in the queue when it was last seen, although consumers were there"
    return _advice(
        seen, "never-reclaimed", "after how long a consumer takes over what another one has (XAUTOCLAIM min-idle-time)",
        f"{text}: let consumers renew what they work on, and take over what was not renewed for a few seconds.",
    )  # fmt: skip


def queue_in_memory(seen: Observed) -> Advice | None:
    """Find that what a queue had acknowledged was gone when its server was started again."""
    if not _forgot(seen) or seen.on_nodes:
        return None
    return _advice(
        seen, "queue-in-memory", "how the queue is kept (Redis: appendonly, and the volume of its folder)",
        f"{_gone(seen)} when {seen.role.where} was started again: a file that is synced before each answer keeps them.",
    )  # fmt: skip


def queue_not_synced(seen: Observed) -> Advice | None:
    """Find that what a queue had acknowledged was not on the disk of its node yet."""
    if not _forgot(seen) or not seen.on_nodes:
        return None
    return _advice(
        seen, "queue-not-synced", "when a write is acknowledged (Redis: appendfsync)",
        f"{_gone(seen)} when {seen.role.where} came back with its node: sync each write before its answer (appendfsync always).",
    )  # fmt: skip


def results_forgotten(seen: Observed) -> Advice | None:
    """Find results that were gone when their clients came for them, although the queue was well when they were made."""
    missing = int(seen.of("results_missing"))
    if not (missing and seen.failed & GONE) or seen.of("results_missing_since") <= HALF * missing:
        return None
    text = f"{count(missing, 'result')} of jobs that are done were gone when they were asked for, most of them made after the fault"
    return _advice(
        seen, "results-forgotten", "how long a result is kept",
        f"{text}: keep a result for as long as a client may stay away, a day for example.", where=_consumers(seen),
    )  # fmt: skip


def dies_of_poison(seen: Observed) -> Advice | None:
    """Find consumers that ended again and again although nobody touched them."""
    if seen.own or seen.own_restarts < SEVERAL or not seen.slow or "oldest_job" not in seen.values:
        return None  # without a queue of jobs there is no entry to die of
    text = f"A container of {_consumers(seen)} was started again {count(seen.own_restarts, 'time')} after a fault that did not touch it"
    return _advice(
        seen, "dies-of-poison", "what a consumer does with an entry that it cannot work on",
        f"{text}: set such an entry aside as a dead letter after a few deliveries, and go on; jobs waited for {_waited(seen)}.",
        where=_consumers(seen),
    )  # fmt: skip


def _forgot(seen: Observed) -> bool:
    """Tell whether what was acknowledged before the fault, and nearly nothing since, is gone with a part that is no consumer."""
    missing = seen.of("results_missing")
    early = missing > 0 and seen.of("results_missing_since") <= HALF * missing
    return bool(seen.failed & GONE) and not seen.own and (early or seen.of("jobs_lost") > 0)


def _gone(seen: Observed) -> str:
    lost, missing = int(seen.of("jobs_lost")), int(seen.of("results_missing"))
    parts = [count(lost, "accepted job")] if lost else []
    parts += [f"{count(missing, 'result')} of jobs that are done"] if missing else []
    return f"{' and '.join(parts)} {'was' if lost + missing == 1 else 'were'} gone"


def _waited(seen: Observed) -> str:
    return seconds(max(seen.of("oldest_job"), seen.of("rto")))


def _consumers(seen: Observed) -> str:
    return seen.asked.where if seen.asked else "the workload's own role"


def _advice(seen: Observed, cause: str, field: str, sentence: str, where: str = "") -> Advice:
    return Advice(
        cause=cause, where=where or seen.role.where, field=field, sentence=sentence, explains_s=max(seen.took_s, seen.of("oldest_job")),
        sure="likely",
    )  # fmt: skip
