"""The baseline: every workload runs and the hypothesis holds throughout, long enough to support the SLO; otherwise nothing is injected.

The baseline may be retried once; a fault never is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from history.clock import now_ns
from history.plan import Phase, Timers
from history.schema import EventKind
from runner.drivers.driver import Driver
from runner.run.context import Context, NotSteady
from runner.run.phases.hypothesis import evaluate

WARM_S = 20.0  # until every probe has seen something for the first time, beyond how long an answer may take
PERIOD_S = 1.0
SEEN_S = 10.0  # over how long what was seen last is said
TRIES = 2


def start(context: Context, drivers: Sequence[Driver]) -> None:
    """Start every workload of the run. Raises WorkloadFailed."""
    for driver in drivers:
        context.progress[driver.name] = driver.start(context.driven)


def baseline(context: Context) -> None:
    """Hold the hypothesis for the plan's baseline under load.

    Raises:
        NotSteady: it did not hold, twice; the sentence says what.
        WorkloadFailed: a workload ended.

    """
    for left in reversed(range(TRIES)):
        wrong = hold(context)
        if not wrong:
            return
        if left:
            context.note(f"baseline: {wrong}; it is tried once more")
    said = f"baseline: the hypothesis does not hold before any fault, so nothing was injected: {wrong}"
    raise NotSteady(f"{said}; seen last: {context.text(SEEN_S)}; repair the platform first")


def hold(context: Context) -> str:
    """Watch the hypothesis for one baseline; return what did not hold, or nothing."""
    timers = context.run.plan.timers
    warm_s, patience_s = WARM_S + timers.known_s, longest_s(timers)
    started_s, since_ns = time.monotonic(), None
    while True:
        context.stop.wait(PERIOD_S)
        context.check_workloads()
        steady = evaluate(context, "warm-up" if since_ns is None else Phase.BASELINE)
        context.toolkit_journal.before = steady.entry
        if since_ns is None:
            if steady.met:
                since_ns = context.log.event(EventKind.PHASE, Phase.BASELINE.value, window=True)
            elif time.monotonic() - started_s > warm_s:
                return f"not within {warm_s:.0f} s of load: {steady.sentence}"
            continue
        if not steady.met:
            return steady.sentence
        lacks = "; ".join(lack for lack in (one.lacks(since_ns) for one in context.progress.values()) if lack)
        if not lacks and now_ns() - since_ns >= timers.baseline_s * 1e9:
            return ""
        if time.monotonic() - started_s > patience_s:
            return f"{lacks} in {patience_s:.0f} s"


def longest_s(timers: Timers) -> float:
    """Return how long one try of the baseline may take (s): warming up and waiting for the last answers, as long as these may take."""
    return WARM_S + timers.baseline_s + max(2 * timers.baseline_s, WARM_S) + 2 * timers.known_s
