"""What a Service does with connections."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from kubernetes.client.exceptions import ApiException

from kube.client import Platform
from kube.permissions import Permission


def permissions(namespace: str) -> list[Permission]:
    """Return what reading a Service in ``namespace`` needs."""
    return [Permission("get", "services", namespace=namespace)]


def session_affinity(platform: Platform, namespace: str, name: str, url: str) -> str:
    """Return the session affinity of a Service (``None``, ``ClientIP``) if ``url`` leads to it; empty: it does not, or nobody can tell."""
    try:
        service: Any = platform.core.read_namespaced_service(name, namespace)
    except ApiException:
        return ""
    return str(service.spec.session_affinity or "None") if leads_to(url, service) else ""


def leads_to(url: str, service: Any) -> bool:  # noqa: ANN401 - the client has no types
    """Tell whether a URL names a Service: by its name in the cluster, its address, its balancer's, or a port that every node has for it.

    With ``externalTrafficPolicy: Local`` a node's port leads to the pods of this node alone, so it does not count.
    """
    parts = urlsplit(url)
    host, spec = parts.hostname or "", service.spec
    short = f"{service.metadata.name}.{service.metadata.namespace}"
    balancer = (service.status.load_balancer.ingress or []) if service.status and service.status.load_balancer else []
    named = {service.metadata.name, short, *(spec.cluster_ips or []), spec.cluster_ip, *(spec.external_ips or [])}
    named |= {where for one in balancer for where in (one.ip, one.hostname)}
    if host in named - {None, "None", ""} or host.startswith(f"{short}.svc"):
        return True
    everywhere = spec.external_traffic_policy in {None, "Cluster"}
    return everywhere and parts.port is not None and parts.port in {port.node_port for port in spec.ports or []}
