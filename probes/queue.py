"""The queue in front of the engines, from Prometheus."""

from __future__ import annotations

from history.errors import NoData
from probes.prometheus import query
from safety import active_run

FRESH_S = 5.0
WAITING = "vllm:num_requests_waiting"


def depth(metric: str = WAITING, labels: str = "") -> float:
    """Return how many requests wait, summed over all replicas whose value is at most 5 s old.

    Args:
        metric: a gauge; vLLM's name is the default.
        labels: PromQL label matchers without braces, e.g. ``namespace="ml-serving"``; the labels of the region's Prometheus are added.

    Raises:
        NoData: Prometheus does not answer, has no such series, or none that fresh (it keeps showing a dead replica's last value).

    """
    region = active_run.require().platform.region
    of_region = region.prometheus.matchers() if region.prometheus else ""
    series = f"{metric}{{{','.join(filter(None, (labels, of_region)))}}}"
    value = query(region, f"sum({series} and (time() - timestamp({series}) <= {FRESH_S:g}))")
    if value is None:
        raise NoData(f"Prometheus: {series} has no value of the last {FRESH_S:g} s; see the targets page of Prometheus")
    return value
