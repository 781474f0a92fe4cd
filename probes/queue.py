"""The queue in front of the engines, from Prometheus."""

from __future__ import annotations

from history.workloads import RequestsPlan
from probes.prometheus.gauge import find, read
from safety import active_run

GAUGE = "waiting"  # of target.engines


def depth(metric: str = "", labels: str = "", role: str = "") -> float:
    """Return how many requests wait, summed over all replicas; a series that is scraped twice counts once.

    A value counts while it is at most one and a half times as old as the time between two scrapes, and for 5 s in any case.

    Args:
        metric: a gauge; left out: whichever Prometheus has of those that known engines have (target/engines.py).
        labels: PromQL label matchers without braces, e.g. ``namespace="ml-serving"``.
        role: whose queue; left out: that of the class of requests. Its labels (its namespace) and those of the region are added.

    Raises:
        NoData: Prometheus does not answer, has no such series, or none that fresh (it keeps showing a dead replica's last value).

    """
    run = active_run.require()
    users = None if role else run.plan.of(RequestsPlan)
    name = role or (users.role if users else "")
    return read(find(run.platform.region, run.platform.target.role(name) if name else None, GAUGE, metric, labels)).value
