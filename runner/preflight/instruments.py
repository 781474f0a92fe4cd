"""Whether everything that measures is up: instrument pods, Prometheus, the endpoint that users ask."""

from __future__ import annotations

import requests

from history.errors import NoData, TargetRefused
from kube.client import Platform, ready
from kube.selection import instrument_pods
from probes.prometheus import query
from runner.experiment.experiment import Experiment

ENDPOINT_S = 5.0


def check_instruments(platform: Platform, experiment: Experiment) -> None:
    """Refuse unless what measures is up: instrument pods, Prometheus, the load's endpoint. Raises TargetRefused."""
    sick = [
        pod.metadata.name
        for pod in instrument_pods(platform)
        if not ready(pod) and pod.metadata.namespace != platform.target.suite.namespace
    ]
    if sick:
        raise TargetRefused(
            f"instruments are not ready: {', '.join(sorted(sick))}; without them nothing can be measured; repair them first"
        )
    try:
        if platform.region.prometheus is not None:
            query(platform.region, "vector(1)")
    except NoData as error:
        raise TargetRefused(f"{error}; it is an instrument of the run; nothing was injected") from error
    _check_endpoint(platform, experiment)


def _check_endpoint(platform: Platform, experiment: Experiment) -> None:
    load = platform.target.workloads[experiment.settings.workload].requests_load
    if load is None or load.workers_as == "pods":
        return  # a training job has no users, and what pods can reach is not for this machine to say
    url = platform.region.endpoints[load.endpoint]
    try:
        requests.get(url, timeout=ENDPOINT_S, verify=load.ca_file or True, allow_redirects=False)
    except requests.RequestException as error:
        raise TargetRefused(
            f"endpoint {load.endpoint} ({url}) does not answer ({type(error).__name__}); nothing was injected; see the target's endpoints"
        ) from error
