"""How much of a role the targets of a fault take away at the same time, and the single points of failure that this shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from history.plan import ResolvedTarget
from kube.client import ready
from kube.controllers.groups import with_mates
from kube.objects import Pod
from kube.platform_timers import NODE_MONITOR_S, load_s, start_s, toleration_s
from safety.surroundings import Surroundings, direct_pods, key_of
from target.target import Target

ALLOWED_BY = "allow it by allow: {last_replica: true} in the experiment"


def together(targets: Iterable[ResolvedTarget]) -> list[ResolvedTarget]:
    """Return as many of ``targets`` as are touched at the same time: of those that are replaced in turn, so many as may be missing."""
    there = list(targets)
    in_turn = [target for target in there if target.missing_at_once is not None]
    most = max((target.missing_at_once or 0 for target in in_turn), default=0)
    return [target for target in there if target.missing_at_once is None] + in_turn[:most]


def single_points(target: Target, targets: Sequence[ResolvedTarget], around: Surroundings) -> dict[str, str]:
    """Return the roles that one thing alone would take away: role -> a sentence, with how long nobody would serve, estimated. Pure.

    That is a role with one ready replica, or one whose ready replicas all stand on one node or in one zone.
    """
    found = {}
    for role, (up, hit) in hit_of_roles(targets, around).items():
        what = _single(target, targets, up, around) if hit and len(hit) == len(up) else ""
        if what:
            lasts = f"nobody would serve meanwhile, {_meanwhile(targets, up)}"
            why = f"not tested, because role {role} would lose its last ready replica and {lasts}"
            found[role] = (
                f"role {role} is a single point of failure ({what}): {why}; {ALLOWED_BY}, or run more replicas apart from each other"
            )
    return found


def _single(target: Target, targets: Sequence[ResolvedTarget], up: Sequence[Pod], around: Surroundings) -> str:
    """Return what all replicas ``up`` have in common that the targets take away, in words; empty: nothing."""
    if len(up) == 1:
        return f"its only ready replica is {names_of(up)}"
    down = {one.name: one for one in targets if one.kind == "Node"}
    nodes = {pod.spec.node_name or "" for pod in up}
    if not nodes <= set(down):
        return ""
    if len(nodes) == 1:
        return f"its ready replicas {names_of(up)} all stand on node {nodes.pop()}"
    labels = (around.nodes[name].metadata.labels or {} for name in nodes if name in around.nodes)
    zones = {found.get(target.regions[down[min(nodes)].region].zone_label, "") for found in labels}
    return f"its ready replicas {names_of(up)} all stand in zone {zones.pop()}" if len(zones) == 1 and "" not in zones else ""


def _meanwhile(targets: Sequence[ResolvedTarget], up: Sequence[Pod]) -> str:
    """Return in words about how long it would take until a replica is back, by the platform's timers."""
    ready_s = start_s(up) + load_s(up)
    if not any(one.kind == "Node" for one in targets):
        return f"for about {ready_s:.0f} s (start and load of a replica)"
    stays_s = min(map(toleration_s, up))
    if stays_s == float("inf"):
        return "for as long as the node is away, since its pods tolerate that for ever"
    return f"for about {NODE_MONITOR_S + stays_s + ready_s:.0f} s if the node is lost (noticed, {stays_s:.0f} s tolerated, start and load)"


def hit_of_roles(targets: Sequence[ResolvedTarget], around: Surroundings) -> dict[str, tuple[list[Pod], list[Pod]]]:
    """Return for each role its ready pods, and which of them the targets take away, with their groups."""
    down = {t.name for t in targets if t.kind == "Node"}
    on_nodes = {key_of(pod) for pods in around.roles.values() for pod in pods if pod.spec.node_name in down}
    lost = with_mates(direct_pods(together(targets)) | on_nodes, around.mates)
    found = {}
    for role, pods in around.roles.items():
        up = [pod for pod in pods if ready(pod)]
        found[role] = (up, [pod for pod in up if key_of(pod) in lost])
    return found


def names_of(pods: Iterable[Pod]) -> str:
    """Return the names of pods as a sentence lists them."""
    return ", ".join(sorted(pod.metadata.name for pod in pods))
