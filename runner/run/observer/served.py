"""How many requests a replica has served by its own account: a counter on the page of metrics that it shows to Prometheus."""

from __future__ import annotations

import math
import re
from http import HTTPStatus

from history.errors import NoData
from kube.client import Platform
from kube.objects import Pod
from kube.proxy import ask_pod

PAGE = "metrics"


def served(platform: Platform, pod: Pod, port: int, counter: str) -> float:
    """Return ``counter`` of a pod, summed over its labels, asked through the API server: no Prometheus is needed.

    Raises:
        NoData: the pod shows no such page, or no such counter on it.

    """
    answer = ask_pod(platform, pod, port, PAGE)
    values = counts(answer.body.decode(errors="replace"), counter) if answer.status == HTTPStatus.OK else []
    if not values:
        raise NoData(f"pod {pod.metadata.name} shows no {counter} at :{port}/{PAGE} (HTTP {answer.status}); see its role's metrics.served")
    return sum(values)


def counts(page: str, counter: str) -> list[float]:
    """Return the values of ``counter`` in the text format of Prometheus, one for each set of labels."""
    found = re.findall(rf"^{re.escape(counter)}(?:\{{.*\}})?\s+(\S+)", page, re.MULTILINE)
    values = [float(text) for text in found if re.fullmatch(r"[-+.\deE]+", text)]
    return [value for value in values if math.isfinite(value)]
