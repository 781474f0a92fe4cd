"""The likely causes of a FAIL, ranked by how much of what was observed they explain; at most three."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from history.layout import Advice
from history.result import Check, Measurement
from verdict.advice import control_plane, jobs, loading, placement, timers, traffic
from verdict.advice.observed import Observed, observed
from verdict.case import Case

MOST = 3
CAUSES: tuple[Callable[[Observed], Advice | None], ...] = (
    placement.single_replica,
    placement.all_on_one_node,
    placement.all_in_one_zone,
    placement.pinned,
    jobs.acknowledged_first,
    jobs.never_reclaimed,
    jobs.queue_in_memory,
    jobs.queue_not_synced,
    jobs.results_forgotten,
    jobs.dies_of_poison,
    loading.unverified_weights,
    placement.no_room,
    traffic.no_disruption_budget,
    traffic.no_pre_stop,
    traffic.short_grace,
    traffic.blind_health,
    traffic.ready_before_loaded,
    traffic.names_forgotten,
    timers.long_toleration,
    timers.killed_while_loading,
    traffic.no_readiness_probe,
    traffic.queue_without_bound,
    traffic.gateway_without_health_checks,
    traffic.no_request_timeout,
    timers.slow_liveness,
    timers.late_first_check,
    timers.no_liveness,
    timers.slow_load,
    control_plane.liveness_asks_others,
)
"""Every cause that is known; of those that explain as much, the first is named first."""
WITHOUT_A_HIT = (control_plane.liveness_asks_others,)
"""Those that explain what users felt where no replica was hit."""


def advise(seen: Observed) -> tuple[Advice, ...]:
    """Return the likely causes of what was seen, most of it explained first; empty: none of those known."""
    causes = WITHOUT_A_HIT if seen.on_control_plane else CAUSES
    found = [advice for cause in causes if (advice := cause(seen)) is not None]
    return tuple(sorted(found, key=lambda one: -one.explains_s)[:MOST])


def advice_on(case: Case, checks: Sequence[Check], measurements: Sequence[Measurement]) -> tuple[Advice, ...] | None:
    """Return the likely causes of a run's FAIL; None: nobody read how the platform is built (an older run)."""
    layout = case.run.plan.layout
    if layout is None:
        return None
    seen = observed(case, layout, checks, measurements)
    return advise(seen) if seen is not None else ()
