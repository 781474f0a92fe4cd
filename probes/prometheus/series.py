"""Which series of an answer are one and the same, scraped more than once: by a PodMonitor and a ServiceMonitor, or by two Prometheuses.

Within one scrape no two series are the same. Those of two scrapes of one pod are, unless they differ in a label of the server itself, such
as ``engine``, ``dp_rank`` or ``model_name``: one that both have, and that does not say how they were scraped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from probes.prometheus.answer import Labels, Series

CONTAINER, INSTANCE = "container", "instance"
OF_SCRAPES = (
    "job", INSTANCE, "endpoint", "service", CONTAINER, "prometheus", "prometheus_replica", "metrics_path", "scrape_pool",
    "exported_job", "exported_instance", "exported_endpoint", "exported_service",
)  # fmt: skip
"""Labels that say how a series was scraped, and by whom. A container is one that was scraped: a pod may have several that serve."""
PODS = ("exported_pod", "pod", "kubernetes_pod_name", "pod_name", "k8s_pod_name")
"""Labels that name the pod, the first that is there: of what was scraped through another Prometheus, its own are called exported_…"""
NAMESPACES = ("exported_namespace", "namespace", "kubernetes_namespace")
PLACES = {*PODS, *NAMESPACES}

Place = tuple[str, str]


def pod_of(labels: Labels) -> str:
    """Return the name of the pod that a series is of; empty: none of its labels says."""
    return _first(labels, PODS)


def once(series: Sequence[Series]) -> list[Series]:
    """Return ``series`` without those that another scrape of the same pod, or of the same address, brought already.

    The newer of two is kept. Of series that name neither, nobody knows, and all are kept.
    """
    addresses = {one.labels[INSTANCE]: _pod(one.labels) for one in series if pod_of(one.labels) and INSTANCE in one.labels}

    def place(one: Series) -> Place:
        address = one.labels.get(INSTANCE, "")
        return _pod(one.labels) if pod_of(one.labels) else addresses.get(address, ("", address))

    ordered = sorted(series, key=lambda one: (place(one), _scrape(one)))
    return [kept for _, there in groupby(ordered, key=place) for kept in _of_place(list(there))]


def _of_place(there: list[Series]) -> list[Series]:
    """Return each series of one pod once: those of its fullest scrape, and what others have besides."""
    if not (pod_of(there[0].labels) or INSTANCE in there[0].labels):
        return there
    scrapes = [list(found) for _, found in groupby(there, key=_scrape)]
    kept: list[Series] = []
    for scrape in sorted(scrapes, key=len, reverse=True):
        known = [next((i for i, there in enumerate(kept) if same(there.labels, one.labels)), None) for one in scrape]
        for one, i in zip(scrape, known, strict=True):
            if i is None:
                kept.append(one)
            elif one.at_s > kept[i].at_s:
                kept[i] = one
    return kept


def same(one: Labels, other: Labels) -> bool:
    """Tell whether series of two scrapes of one pod are the same: no label of the server's own tells them apart.

    Two containers are two servers, unless both were scraped at one address: some discoveries find a target for each container of a pod.
    """
    ignored = {*OF_SCRAPES, *PLACES} - ({CONTAINER} if one.get(INSTANCE) != other.get(INSTANCE) else set())
    return all(one[name] == other[name] for name in one.keys() & other.keys() if name not in ignored)


def _pod(labels: Labels) -> Place:
    return _first(labels, NAMESPACES), pod_of(labels)


def _scrape(one: Series) -> tuple[str, ...]:
    return tuple(one.labels.get(name, "") for name in OF_SCRAPES)


def _first(labels: Labels, names: Iterable[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")
