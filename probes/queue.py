"""The queue in front of the engines, from Prometheus."""

from __future__ import annotations

from history.errors import NoData
from probes.prometheus import query
from safety import active_run
from target.engines import names

FRESH_S = 5.0


def depth(metric: str = "", labels: str = "") -> float:
    """Return how many requests wait, summed over all replicas whose value is at most 5 s old.

    Args:
        metric: a gauge; left out: whichever Prometheus has of those that known engines have (target/engines.py).
        labels: PromQL label matchers without braces, e.g. ``namespace="ml-serving"``; the labels of the region's Prometheus are added.

    Raises:
        NoData: Prometheus does not answer, has no such series, or none that fresh (it keeps showing a dead replica's last value).

    """
    region = active_run.require().platform.region
    of_region = region.prometheus.matchers() if region.prometheus else ""
    by_name = "" if metric else f'__name__=~"{"|".join(names("waiting"))}"'
    series = f"{metric}{{{','.join(filter(None, (by_name, labels, of_region)))}}}"
    value = query(region, f"sum({series} and (time() - timestamp({series}) <= {FRESH_S:g}))")
    if value is None and not metric:
        raise NoData(
            f"Prometheus: no gauge of waiting requests of a known engine has a value of the last {FRESH_S:g} s ({series}); see the targets "
            "page of Prometheus, or name the engine's own gauge: roles.ROLE.metrics.queue"
        )
    if value is None:
        raise NoData(f"Prometheus: {series} has no value of the last {FRESH_S:g} s; see the targets page of Prometheus")
    return value
