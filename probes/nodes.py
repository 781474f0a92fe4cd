"""Evidence about nodes: cordoned, drained, without power, not heard of, not heard of although its pods answer."""

from __future__ import annotations

import socket

from history.errors import NoData
from kube.client import Platform, api_errors, ready
from kube.disruption.eviction import evictable
from kube.health.serving import overdue
from kube.proxy import reaches
from probes.network import ASK_S, port_of
from probes.targets import targets_of
from safety import active_run

KUBELET_PORT, CONNECT_S = 10250, 1.0


def cordoned(activity: str) -> bool:
    """Tell whether every node of ``activity`` is unschedulable. Raises NoData: no answer from the API server."""
    platform = active_run.require().platform
    with api_errors(f"read the nodes of {activity}", NoData):
        return all(_unschedulable(platform, name) for name in _nodes(activity))


def drained(activity: str) -> bool:
    """Tell whether every node of ``activity`` is unschedulable and runs nothing that a drain evicts. Raises NoData: no answer."""
    platform = active_run.require().platform
    with api_errors(f"read the nodes of {activity} and their pods", NoData):
        return all(_unschedulable(platform, name) and not evictable(platform, name) for name in _nodes(activity))


def powered_off(activity: str) -> bool:
    """Tell whether every node of ``activity`` is silent: its lease is overdue and its kubelet does not answer.

    It is seen about 12 s after a power cut, long before Kubernetes calls the node NotReady (50 s). Where this machine cannot reach nodes,
    the lease alone decides. Raises NoData: no answer from the API server.
    """
    platform = active_run.require().platform
    with api_errors(f"read the nodes of {activity} and their leases", NoData):
        return all(overdue(platform, name) and not _kubelet_answers(platform, name) for name in _nodes(activity))


def silent(activity: str) -> bool:
    """Tell whether no node of ``activity`` is heard of: its lease is overdue, or Kubernetes calls it not ready.

    A kubelet that is stopped still takes connections, so it is not asked, unlike in :func:`powered_off`. Raises NoData: no answer from the
    API server.
    """
    platform = active_run.require().platform
    with api_errors(f"read the nodes of {activity} and their leases", NoData):
        return all(overdue(platform, name) or not ready(platform.node(name)) for name in _nodes(activity))


def silent_alive(activity: str, role: str) -> bool:
    """Tell whether no node of ``activity`` is heard of, as in :func:`silent`, while every pod of ``role`` there answers the API server.

    So a node without power, or one that is cut off, is not taken for one whose kubelet hangs. Raises NoData: no answer from the API server,
    no pod of the role is there, or it names no port.
    """
    platform, nodes = active_run.require().platform, set(_nodes(activity))
    with api_errors(f"read the pods of role {role}", NoData):
        there = [pod for pod in platform.pods(role) if pod.spec.node_name in nodes]
    if not there:
        raise NoData(f"{activity}: no pod of role {role} is on {', '.join(sorted(nodes))}, so nobody there can be asked")
    return silent(activity) and all(reaches(platform, pod, port_of(pod), ASK_S) for pod in there)


def _nodes(activity: str) -> list[str]:
    return [target.name for target in targets_of(activity, "Node")]


def _unschedulable(platform: Platform, name: str) -> bool:
    return bool(platform.node(name).spec.unschedulable)


def _kubelet_answers(platform: Platform, name: str) -> bool:
    status = platform.node(name).status
    address = next((one.address for one in status.addresses or [] if one.type == "InternalIP"), name)
    endpoint = status.daemon_endpoints.kubelet_endpoint if status.daemon_endpoints else None
    port = endpoint.port if endpoint else KUBELET_PORT
    try:
        with socket.create_connection((address, port), timeout=CONNECT_S):
            return True
    except OSError:
        return False
