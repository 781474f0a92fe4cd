"""Which share of the requests went to which replicas before the fault, by the best source that the record has."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import polars as pl

from history.schema import Series
from history.workloads import RequestsPlan
from verdict.case import Case

MOSTLY = 0.95
"""So large a share of the baseline's answers must name a replica that serves, or the header names something else."""
TWICE = 2
"""From so many answers on a connection can be seen to lead to one replica or to several."""


@dataclass(frozen=True, slots=True)
class Routing:
    """The ``share`` of requests that went to the replicas ``to`` before the fault (``None``: not known) and its ``source``, in words.

    ``pinned``: each connection leads to one replica, as a balancer of connections makes it.
    """

    to: Set[str]
    share: float | None
    source: str
    pinned: bool = False

    def met(self, case: Case, start_ns: int, end_ns: int) -> float | None:
        """Return how many requests met these replicas, or would have: under way at ``start_ns`` (ns), or sent from then to ``end_ns``."""
        if self.share is None:
            return None
        there = (pl.col("attempt") == 0) & (pl.col("sent_ns") < end_ns) & (pl.col("done_ns").fill_null(end_ns) >= start_ns)
        rows = case.run.requests.filter(there)
        if not (self.pinned and case.load.connections.mode == "shared"):
            return self.share * rows.height
        leads = _leads(case.run.requests)
        known = rows.join(leads, on=["worker", "connection"], how="left", nulls_equal=True)
        return float(known["leads"].is_in(list(self.to)).sum()) + self.share * known["leads"].null_count()


def routing_of(case: Case, to: Set[str], serving: Set[str]) -> Routing:
    """Return how the baseline's requests were routed to the replicas ``to`` among those ``serving``."""
    answers = _baseline_answers(case)
    named = answers.filter(pl.col("pod").is_in(list(serving)))
    if answers.height and named.height >= MOSTLY * answers.height:
        share = named.filter(pl.col("pod").is_in(list(to))).height / named.height
        return Routing(to, share, f"where {100 * share:.0f} % of the baseline's answers came from by the header x-pod", _pinned(named))
    why = "no answer names its pod" if not named.height else f"only {named.height:,} of {answers.height:,} answers name a pod that serves"
    if case.load.connections.mode == "shared":
        return Routing(to, None, f"{why}, and connections that are shared keep to replicas that answer")
    served = _counted(case)
    if set(serving) <= set(served) and sum(served.values()) > 0:
        share = sum(served[pod] for pod in to) / sum(served[pod] for pod in serving)
        return Routing(to, share, f"where {100 * share:.0f} % of the baseline's requests went by the pods' own counters")
    if case.load.connections.mode == "each_request" and _affinity(case) == "None":
        share = len(to) / len(serving)
        return Routing(to, share, f"taken for {100 * share:.0f} %, the fair share of a Service without session affinity, because {why}")
    return Routing(to, None, f"{why}, and no counter of the pods' own was read")


def _baseline_answers(case: Case) -> pl.DataFrame:
    if case.baseline_ns is None:
        return case.run.requests.clear()
    start_ns, end_ns = case.baseline_ns
    return case.run.requests.filter(pl.col("intended_ns").is_between(start_ns, end_ns, closed="left") & pl.col("status").is_not_null())


def _pinned(named: pl.DataFrame) -> bool:
    """Tell whether every connection that carried several answers carried those of one pod (an older run does not say)."""
    by_connection = named.filter(pl.col("connection").is_not_null()).group_by("worker", "connection")
    several = by_connection.agg(pl.col("pod").n_unique(), pl.len()).filter(pl.col("len") >= TWICE)
    return several.height > 0 and bool((several["pod"] == 1).all())


def _leads(requests: pl.DataFrame) -> pl.DataFrame:
    """Return the pod that each connection's answers named."""
    named = requests.filter(pl.col("pod").is_not_null() & pl.col("connection").is_not_null())
    return named.group_by("worker", "connection").agg(pl.col("pod").first().alias("leads"))


def _counted(case: Case) -> dict[str, float]:
    """Return how many requests each pod counted in the baseline, of those whose counters were read at least twice."""
    if case.baseline_ns is None:
        return {}
    start_ns, end_ns = case.baseline_ns
    wanted = (pl.col("series") == Series.SERVED.value) & pl.col("t_ns").is_between(start_ns, end_ns)
    samples = case.run.samples.filter(wanted).with_columns(pl.col("labels").str.json_path_match("$.pod").alias("pod")).sort("t_ns")
    grown = samples.group_by("pod").agg((pl.col("value").last() - pl.col("value").first()).alias("grown"), pl.len())
    return {pod: grew for pod, grew, read in grown.iter_rows() if pod is not None and read >= TWICE and grew >= 0}


def _affinity(case: Case) -> str:
    """Return the session affinity of the Service that the endpoint leads to; empty: not known."""
    return case.workload.session_affinity if isinstance(case.workload, RequestsPlan) else ""
