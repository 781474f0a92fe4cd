"""Ready replicas: those that serve when asked (:mod:`kube.health.serving`). Shown beside what users feel, never instead of it."""

from __future__ import annotations

from history.errors import NoData
from kube.client import Platform, api_errors
from kube.controllers.wanted import wanted
from kube.health.serving import serving
from safety import active_run


def ready(role: str) -> int:
    """Return how many pods of ``role`` are ready: their condition says so, and they answer.

    A pod is asked what the role's ``health`` says, or what its own readiness probe asks. A pod with neither is Ready by its condition,
    unless the lease of its node is overdue. Kubernetes goes on calling pods Ready for a while after their node fell silent.
    Raises NoData: the API server does not answer.
    """
    platform = active_run.require().platform
    with api_errors(f"count the ready pods of role {role}", NoData):
        return len(serving(platform, role, platform.pods(role)))


def missing(role: str) -> int:
    """Return how many ready pods (see :func:`ready`) ``role`` lacks to what its controller asks for (0: none, however many it wants).

    Raises:
        NoData: the API server does not answer.

    """
    return max(0, desired(active_run.require().platform, role) - ready(role))


def desired(platform: Platform, role: str) -> int:
    """Return how many replicas ``role`` should have: as its controllers say now, else as many as preflight found (same errors)."""
    with api_errors(f"read who makes the pods of role {role}", NoData):
        found = wanted(platform, platform.target.role(role))
    if found is not None:
        return found
    counted = active_run.require().plan.replicas_desired
    if role not in counted:
        raise NoData(
            f"target {platform.target.name}: role {role}: nobody owns its pods, so nobody knows how many there should be; add replicas"
        )
    return counted[role]
