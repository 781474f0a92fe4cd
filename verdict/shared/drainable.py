"""Whether a node can be drained as an upgrade does it: check ``drainable``. Cloud providers end a drain that takes longer by force."""

from __future__ import annotations

import polars as pl

from history.kinds import EVERY
from history.result import Check
from history.schema import EventKind, Series
from verdict.case import Case
from verdict.inputs.labels import label_of
from verdict.inputs.timeline import Event
from verdict.shared.registry import Role, check
from verdict.shared.results import Figures, failed, inconclusive, left, passed
from verdict.words import seconds

BY_BUDGET = "a disruption budget still forbids"  # kube.disruption.eviction says so of an eviction that was never allowed
HEALTHY_S = 15.0  # for so long all replicas must have been ready before a budget that still allows nothing is held to allow nothing ever


@check(EVERY, Role.OWN, title="Drainable")
def drainable(case: Case) -> Check | None:
    """Check that the drained node was empty within the drain budget of its role, counted from the fault until the evidence saw that.

    The budget is ``drain_budget`` of the role, or 15 min, after which EKS ends a drain by force. It fails, too, if a disruption budget
    allowed no eviction although every replica had been ready for 15 s: such a drain never ends. A disruption budget that holds an eviction
    back while a replacement loads does its work, and nothing is concluded if that outlasts the drain's own time limit. Who was hurt
    meanwhile is judged by ``interrupted``, of which a drain may have none. Source: events, ready_replicas samples.
    """
    budget_s = case.run.plan.drain_budget_s
    if budget_s is None or case.control:
        return None
    figures, allowed = Figures(budget=budget_s, unit="s"), f"the drain budget is {seconds(budget_s)}"
    refused = next(iter(case.timeline.all(EventKind.FAULT_FAILED)), None)
    if refused is not None:
        return _not_done(case, refused, figures)
    confirmed = case.timeline.last_ns(EventKind.FAULT_CONFIRMED)
    if case.recovery is None or confirmed is None:
        return inconclusive("drainable", "No drain was seen to be done, so it is not known how long one takes.", **figures)
    took_s = case.after_fault_s(confirmed)
    figures |= {"measured": took_s, "margin": left(took_s, budget_s)}
    said = f"The node was drained {seconds(took_s)} after the first eviction; {allowed}."
    return passed("drainable", said, **figures) if took_s <= budget_s else failed("drainable", said, **figures)


def _not_done(case: Case, refused: Event, figures: Figures) -> Check:
    """Return the check of a drain that did not come to its end."""
    why = str(refused.detail.get("error", "no reason given"))
    if BY_BUDGET not in why:
        return inconclusive("drainable", f"The drain did not come to its end: {why}.", **figures)
    if _all_ready(case, refused.t_ns):
        said = (
            f"A disruption budget allowed no eviction although every replica was ready for {seconds(HEALTHY_S)}, so no drain ends: {why}."
        )
        return failed("drainable", said, **figures)
    return inconclusive(
        "drainable", f"A disruption budget held an eviction back, and not every replica was ready until then: {why}. "
        "It may be at work: give the drain more time (timeout_s), or see why a replacement takes so long.", **figures,
    )  # fmt: skip


def _all_ready(case: Case, until_ns: int) -> bool:
    """Tell whether every replica of every role was Ready whenever they were counted in the last seconds; not if nobody counted."""
    wanted = case.run.plan.replicas_desired
    within = pl.col("t_ns").is_between(until_ns - int(HEALTHY_S * 1e9), until_ns) & (pl.col("series") == Series.READY_REPLICAS.value)
    counted = [(label_of(labels, "role"), value) for labels, value in case.run.samples.filter(within).select("labels", "value").iter_rows()]
    return {role for role, _ in counted} >= set(wanted) and all(value >= wanted.get(role or "", 0) for role, value in counted)
