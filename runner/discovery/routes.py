"""Services, and what leads to them from outside, read once: Ingress, Gateway API, OpenShift routes, KServe's own URLs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.discovery.reader import INGRESSES, SERVICES, Reader
from runner.discovery.workloads import Workload
from target.job_kinds.kind import Plain

GATEWAY_API, INFERENCE, OLD_INFERENCE = "gateway.networking.k8s.io", "inference.networking.k8s.io", "inference.networking.x-k8s.io"
KSERVE, OPENSHIFT = "serving.kserve.io", "route.openshift.io"
POOLS = (INFERENCE, OLD_INFERENCE)


@dataclass(frozen=True, slots=True)
class Routes:
    """Everything that leads somewhere, as the API server has it."""

    services: tuple[Plain, ...]
    ingresses: tuple[Plain, ...]
    gateways: tuple[Plain, ...]
    http_routes: tuple[Plain, ...]
    pools: tuple[Plain, ...]
    openshift: tuple[Plain, ...]
    kserve: tuple[Plain, ...]
    nodes: Mapping[str, str]  # where each worker is reached, by its name

    def services_of(self, workload: Workload) -> list[Plain]:
        """Return the Services that select a workload's pods; those with an address of their own before headless ones."""
        found = [one for one in self.services if leads_to(one, workload)]
        return sorted(found, key=lambda one: (spec(one).get("clusterIP") == "None", name(one)))

    def pools_of(self, workload: Workload) -> list[Plain]:
        """Return the InferencePools whose endpoints a workload's pods are."""
        near = [one for one in self.pools if in_namespace(one, workload.namespace)]
        return [one for one in near if _selects(_pool_selector(one), workload.labels)]


def leads_to(service: Plain, workload: Workload) -> bool:
    """Tell whether a Service selects a workload's pods."""
    return in_namespace(service, workload.namespace) and _selects(spec(service).get("selector"), workload.labels)


def read_routes(reader: Reader, nodes: Mapping[str, str]) -> Routes:
    """Return what leads somewhere, as far as it is served and may be read; ``nodes``: where each worker is reached."""

    def of(groups: Iterable[str], plural: str, kind: str) -> tuple[Plain, ...]:
        return tuple(one for group in groups for one in reader.listed(reader.served(group, plural, kind)))

    return Routes(
        services=tuple(reader.listed(SERVICES)),
        ingresses=tuple(reader.listed(INGRESSES)),
        gateways=of([GATEWAY_API], "gateways", "Gateway"),
        http_routes=of([GATEWAY_API], "httproutes", "HTTPRoute"),
        pools=of(POOLS, "inferencepools", "InferencePool"),
        openshift=of([OPENSHIFT], "routes", "Route"),
        kserve=of([KSERVE], "inferenceservices", "InferenceService"),
        nodes=nodes,
    )


def name(thing: Plain) -> str:
    """Return an object's name."""
    return str(thing["metadata"]["name"])


def namespace(thing: Plain) -> str:
    """Return an object's namespace."""
    return str(thing["metadata"].get("namespace") or "")


def in_namespace(thing: Plain, wanted: str) -> bool:
    """Tell whether an object is in a namespace."""
    return namespace(thing) == wanted


def spec(thing: Plain) -> Plain:
    """Return what an object should be."""
    found: Plain = thing.get("spec") or {}
    return found


def addresses(thing: Plain) -> Iterator[str]:
    """Yield the addresses that a load balancer gave an object (a Service, an Ingress), or that a Gateway has."""
    status: Mapping[str, Any] = thing.get("status") or {}
    given = (status.get("loadBalancer") or {}).get("ingress") or []
    yield from (str(one.get("hostname") or one.get("ip")) for one in given if one.get("hostname") or one.get("ip"))
    yield from (str(one["value"]) for one in status.get("addresses") or [] if one.get("value"))


def _pool_selector(pool: Plain) -> Mapping[str, str]:
    """Return the labels that a pool selects: v1 writes them below matchLabels, v1alpha2 without."""
    selector = spec(pool).get("selector") or {}
    return dict(selector.get("matchLabels") or {}) if "matchLabels" in selector else dict(selector)


def _selects(selector: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    return bool(selector) and (selector or {}).items() <= labels.items()
