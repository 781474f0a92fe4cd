"""What servers say of themselves, asked through the API server (``get pods/proxy``): names of metrics, and models that they serve."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus

import orjson

from history.errors import NoData
from kube import proxy
from kube.client import PARALLEL
from runner.discovery.reader import Gap, Reader
from runner.discovery.workloads import Workload

MOST = 60  # workloads that are asked: of a cluster with more, those with the most pods
TRIES = 2  # ports of each
METRIC = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{| )", re.MULTILINE)
OF_METRICS = re.compile(r"metric|prom", re.IGNORECASE)
MODELS = "/v1/models"  # of OpenAI's API
NO_WAY = "no pod is reached through the API server, so none was asked for its metrics and models"
Names = Mapping[Workload, frozenset[str]]


def asked_for_metrics(reader: Reader, workloads: Iterable[Workload]) -> Names:
    """Return the names of the metrics that each of ``workloads`` has on a port that it declares, as far as it may be asked."""
    chosen = sorted((one for one in workloads if _may_be_asked(one)), key=lambda one: -len(one.pods))[:MOST]
    names: dict[Workload, frozenset[str]] = {}
    for some in batched(chosen, PARALLEL):
        with ThreadPoolExecutor(PARALLEL) as pool:
            found = list(pool.map(lambda one: _metrics(reader, one), some))
        names |= {one: said for one, said in zip(some, found, strict=True) if said}
        if all(said is None for said in found):  # each costs seconds, and so it would go on
            reader.gaps.append(Gap("get", "pods/proxy", "", None, forbidden=False, said=NO_WAY))
            break
    return names


def batched(workloads: Sequence[Workload], size: int) -> Iterator[Sequence[Workload]]:
    """Yield workloads in groups of at most ``size``."""
    yield from (workloads[start : start + size] for start in range(0, len(workloads), size))


def models_of(reader: Reader, workload: Workload, port: int, path: str = "") -> list[str]:
    """Return the models that a server with OpenAI's API says it serves; none if it does not say."""
    body = _ask(reader, workload, port, f"{path}{MODELS}")
    with suppress(orjson.JSONDecodeError, KeyError, TypeError):
        return [str(one["id"]) for one in orjson.loads(body or b"{}")["data"]]
    return []


def ports_of(workload: Workload) -> list[int]:
    """Return the TCP ports that a person's container declares."""
    return [int(one.container_port) for one in workload.container.ports or [] if one.protocol in {None, "TCP"}]


def _may_be_asked(workload: Workload) -> bool:
    """Tell whether a question is of use: something that goes on, is ready, declares a port, and is not on every node."""
    kind = workload.maker.kind if workload.maker else ""
    goes_on = not (workload.of_system or workload.of_job or kind == "DaemonSet")
    return goes_on and any(pod.ready for pod in workload.pods) and bool(ports_of(workload))


def _metrics(reader: Reader, workload: Workload) -> frozenset[str] | None:
    """Return the names that a workload says; None: nobody was reached."""
    said = workload.sample.metadata.annotations or {}
    path = said.get("prometheus.io/path") or "/metrics"
    reached = False
    for port in list(_metric_ports(workload, said.get("prometheus.io/port", "")))[:TRIES]:
        if body := _ask(reader, workload, port, path):
            return frozenset(METRIC.findall(body.decode(errors="replace")))
        reached |= body is not None
    return frozenset() if reached else None


def _metric_ports(workload: Workload, annotated: str) -> Iterator[int]:
    declared = [one for one in workload.container.ports or [] if one.protocol in {None, "TCP"}]
    named = sorted(declared, key=lambda one: not OF_METRICS.search(one.name or ""))
    yield from dict.fromkeys([*([int(annotated)] if annotated.isdigit() else []), *(int(one.container_port) for one in named)])


def _ask(reader: Reader, workload: Workload, port: int, path: str) -> bytes | None:
    """Return what a pod answers with 200; empty: anything else; None: it was not reached. That it may not be asked is a gap."""
    try:
        answer = proxy.ask_pod(reader.platform, workload.sample, port, path)
    except NoData:
        return None
    if answer.status in proxy.MAYBE_OWN:
        return None
    gap = Gap("get", "pods/proxy", "", workload.namespace, forbidden=True, said=f"{port}{path} of {workload} was not asked")
    if answer.status == HTTPStatus.FORBIDDEN and b'"Status"' in answer.body and not any(_same(gap, one) for one in reader.gaps):
        reader.gaps.append(gap)
    return answer.body if answer.status == HTTPStatus.OK else b""


def _same(one: Gap, other: Gap) -> bool:
    return (one.verb, one.resource, one.namespace) == (other.verb, other.resource, other.namespace)
