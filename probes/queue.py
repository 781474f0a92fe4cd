"""The queue in front of the engines, from Prometheus."""

from __future__ import annotations

from history.workloads import RequestsPlan
from probes.prometheus.gauge import find, read
from probes.targets import targets_of
from safety import active_run
from target.engines import ENGINES, GAUGES, names

GAUGE = "waiting"  # of target.engines
CACHE = "cache"  # the gauge there that counts no requests


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


def busy(activity: str, role: str, at_least: int) -> bool:
    """Tell whether at least so many requests run or wait at all servers of ``role`` together, by their own gauges in Prometheus.

    It does not ask the load generator: what the platform has in hand is counted.

    Args:
        activity: the action that this is evidence of.
        role: whose servers; which gauges they have is known by their engine (target/engines.py), or the target file names one.
        at_least: more than they have in hand without the fault, and less than they can have at once.

    Raises:
        NoData: Prometheus does not answer, or has no such series.

    """
    targets_of(activity, "Pod")
    run = active_run.require()
    found = run.platform.target.role(role)
    engine = found.adapter if found.adapter in ENGINES else None
    own = found.queue_metric
    gauges = [gauge for gauge in GAUGES if gauge != CACHE and names(gauge, engine) and not (own and engine is None and gauge != GAUGE)]
    asked = [find(run.platform.region, found, gauge, own if gauge == GAUGE else "") for gauge in gauges]
    return sum(read(one).value for one in asked) >= at_least
