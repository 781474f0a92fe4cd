"""The queue in front of the engines, from Prometheus (by prometheus-api-client)."""

from __future__ import annotations

import math
from typing import Any

import requests
import urllib3
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from history.errors import NoData
from safety import active_run
from target.target import Target

FRESH_S, TIMEOUT_S = 5.0, 3
WAITING = "vllm:num_requests_waiting"


def depth(metric: str = WAITING, labels: str = "") -> float:
    """Return how many requests wait, summed over all replicas whose value is at most 5 s old.

    Args:
        metric: a gauge; vLLM's name is the default.
        labels: PromQL label matchers without braces, e.g. ``namespace="ml-serving"``.

    Raises:
        NoData: Prometheus does not answer, has no such series, or none that fresh (it keeps showing a dead replica's last value).

    """
    series = f"{metric}{{{labels}}}"
    value = query(active_run.require().platform.target, f"sum({series} and (time() - timestamp({series}) <= {FRESH_S:g}))")
    if value is None:
        raise NoData(f"Prometheus: {series} has no value of the last {FRESH_S:g} s; see the targets page of Prometheus")
    return value


def query(target: Target, promql: str) -> float | None:
    """Return the one value of an instant query; None if it is empty or not a number.

    Raises:
        NoData: the target names no Prometheus, or it does not answer within 3 s.

    """
    if target.prometheus is None:
        raise NoData(f"target {target.name}: it names no Prometheus; set prometheus to a key of endpoints")
    url = target.endpoints[target.prometheus]
    once = urllib3.Retry(total=0)  # its own three retries would outlast what they measure
    try:
        with PrometheusConnect(url, retry=once, timeout=TIMEOUT_S) as prometheus:
            found: list[dict[str, Any]] = prometheus.custom_query(promql)
    except (requests.RequestException, PrometheusApiClientException) as error:
        raise NoData(f"Prometheus at {url} does not answer ({type(error).__name__}: {str(error)[:200]}); is it up?") from error
    value = float(found[0]["value"][1]) if found else math.nan
    return value if math.isfinite(value) else None
