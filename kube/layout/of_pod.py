"""What one pod's specification says of how its role is built. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubernetes.client import V1Container, V1NodeAffinity, V1NodeSelectorTerm, V1Probe

from history.layout import Probe
from kube.lists.nodes import HOSTNAME
from kube.objects import Pod

BY_NAME = "metadata.name"


def probe_of(probe: V1Probe | None) -> Probe | None:
    """Return a probe with Kubernetes' defaults filled in; None: there is none."""
    if probe is None:
        return None
    return Probe(
        asks=_asks(probe),
        delay_s=probe.initial_delay_seconds or 0,
        period_s=probe.period_seconds or 10,
        timeout_s=probe.timeout_seconds or 1,
        failures=probe.failure_threshold or 3,
    )


def _asks(probe: V1Probe) -> str:
    if probe.http_get is not None:
        return f"HTTP {(probe.http_get.path or '/').partition('?')[0]}"  # a query may hold a token
    return "a command" if probe.var_exec is not None else "gRPC" if probe.grpc is not None else "TCP"


def has_pre_stop(container: V1Container) -> bool:
    """Tell whether a container does something before it is told to end."""
    return container.lifecycle is not None and container.lifecycle.pre_stop is not None


def memory_is_limited(pod: Pod) -> bool:
    """Tell whether every container of a V1Pod has a limit of memory, or the pod as a whole."""
    whole = pod.spec.resources  # of the pod as a whole
    limits = [one.resources.limits if one.resources else None for one in pod.spec.containers]
    return bool(whole and "memory" in (whole.limits or {})) or all("memory" in (found or {}) for found in limits)


def gpus_of(pod: Pod, resource: str) -> int:
    """Return how many GPUs the containers of a V1Pod ask for; ``resource``: what the cluster calls one."""
    limits = [one.resources.limits if one.resources else None for one in pod.spec.containers]
    return sum(int((found or {}).get(resource, 0)) for found in limits)


def pins_of(pod: Pod) -> Iterator[str]:
    """Yield what in a V1Pod's own specification lets it run on one node only, in words."""
    if name := (pod.spec.node_selector or {}).get(HOSTNAME):
        yield f"nodeSelector {HOSTNAME}: {name}"
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    if name := _only_node(affinity):
        yield f"nodeAffinity requires node {name}"


def _only_node(affinity: V1NodeAffinity | None) -> str:
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    return only_value(required.node_selector_terms, {HOSTNAME, BY_NAME}) if required else ""


def only_value(terms: Iterable[V1NodeSelectorTerm], keys: set[str]) -> str:
    """Return the one value of one of the labels or fields ``keys`` that every term asks for; empty: there is no such value."""
    found = [_value(term, keys) for term in terms]
    return found[0] if found and all(found) and len(set(found)) == 1 else ""


def _value(term: V1NodeSelectorTerm, keys: set[str]) -> str:
    asked = [*(term.match_expressions or []), *(term.match_fields or [])]
    given = [one.values or [] for one in asked if one.key in keys and one.operator == "In"]
    return next((values[0] for values in given if len(values) == 1), "")
