"""The control plane itself: whether its API server answers, and whether its controllers are at work.

Controllers elect a leader, which renews a Lease every few seconds. Nobody else writes it, so it shows what no command's word can.
Source: https://kubernetes.io/docs/concepts/architecture/leases/.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import urllib3

from kube.client import Platform
from kube.objects import Lease
from kube.permissions import Permission

KIND = "ControlPlane"  # of a target
API_SERVER, CONTROLLERS = "api-server", "controllers"  # the parts that can be stopped
LEADERS = ("kube-controller-manager", "kube-scheduler")
NAMESPACE = "kube-system"
ASK_S = 2.0
LEASE_S = 15.0  # Kubernetes' default, where a Lease does not say for how long it holds
SERVER_ERROR = 500


def permissions() -> list[Permission]:
    """Return what looking at the controllers' Leases needs."""
    return [Permission("get", "leases", "coordination.k8s.io", NAMESPACE)]


def api_answers(platform: Platform) -> bool:
    """Tell whether the API server answers ``/livez`` within 2 s. A refusal is an answer; a balancer's 502 or 503 is none.

    Asked once, on the platform's own way to it, without any of the patience that the suite's other requests have.
    """
    api: Any = platform.api  # the library ships no types for this
    url = f"{api.configuration.host.rstrip('/')}/livez"
    try:
        answer = api.rest_client.pool_manager.request("GET", url, timeout=ASK_S, retries=False)
    except urllib3.exceptions.HTTPError:
        return False
    return bool(answer.status < SERVER_ERROR)


def leader_leases(platform: Platform) -> list[Lease]:
    """Return the Leases of controller manager and scheduler. Raises ApiException: one cannot be read, or there is none (404)."""
    return [platform.coordination.read_namespaced_lease(name, NAMESPACE) for name in LEADERS]


def silent_s(platform: Platform, lease: Lease) -> float:
    """Return for how long a Lease was not renewed (s); one that nobody holds: for ever."""
    renewed = lease.spec.renew_time if lease.spec and lease.spec.holder_identity else None
    return float("inf") if renewed is None else (platform.server_time() - renewed).total_seconds()


def holds_s(lease: Lease) -> float:
    """Return for how long a Lease holds that was renewed (s)."""
    return float((lease.spec and lease.spec.lease_duration_seconds) or LEASE_S)


def expired(platform: Platform, lease: Lease) -> bool:
    """Tell whether nobody leads any more: the Lease was not renewed for as long as it holds."""
    return silent_s(platform, lease) > holds_s(lease)


def renewed_since(lease: Lease, when: datetime) -> bool:
    """Tell whether a Lease is held and was renewed after ``when``."""
    return bool(lease.spec and lease.spec.holder_identity and lease.spec.renew_time and lease.spec.renew_time > when)
