"""Through what replicas are asked for their health in a run: chosen once, said in words, and what it leaves to their condition."""

from __future__ import annotations

from history.errors import TargetRefused
from kube.client import Platform, api_errors
from kube.health.choice import choose_ways

LEFT = "a replica that Kubernetes calls Ready counts as ready, whether it answers or not"


def try_ways(platform: Platform) -> dict[str, str]:
    """Choose for each role through what its replicas are asked; return role -> what is left to their condition, and why, in words.

    Raises TargetRefused: nobody can look at them.
    """
    with api_errors(f"target {platform.target.name}: look at the pods", TargetRefused):
        choose_ways(platform, platform.pods_of_roles())
    return unasked(platform)


def asked_through(platform: Platform) -> dict[str, str]:
    """Return for each role, in words, through what its replicas are asked."""
    return {role: ways.sentence for role, ways in platform.ways.items()}


def unasked(platform: Platform) -> dict[str, str]:
    """Return for each role of which not all is asked what is left to its condition, and why."""
    return {role: f"answers of role {role}: {LEFT} ({ways.lacks})" for role, ways in platform.ways.items() if ways.lacks}
