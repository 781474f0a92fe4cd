"""Causes in where replicas were: too few of them, or all where the fault was."""

from __future__ import annotations

from history.layout import Advice
from verdict.advice.observed import Observed
from verdict.words import seconds

WAITED_S = 10.0  # so long no new replica waits for a node that is there
SPREAD = "spec.template.spec.topologySpreadConstraints"


def single_replica(seen: Observed) -> Advice | None:
    """Find that nobody served since the only replica was hit."""
    if seen.role.wanted != 1 or not seen.hit or not seen.unserved:
        return None
    takes = f"the {seconds(seen.role.ready_s)} that a replica takes to start and load" if seen.role.ready_s else "a new replica"
    text = f"{seen.role.where} has one replica, and it was hit: with two or more, apart from each other, users wait for routing alone"
    return Advice(
        cause="single-replica", where=seen.role.where, field="spec.replicas", sentence=f"{text}, not for {takes}.", explains_s=seen.took_s,
        sure="seen",
    )  # fmt: skip


def all_on_one_node(seen: Observed) -> Advice | None:
    """Find that all replicas stood on the node that was hit."""
    if not seen.on_nodes or seen.role.ready <= 1 or seen.role.nodes != 1 or not seen.lost_all or not seen.unserved:
        return None
    text = f"All {seen.role.ready} replicas of {seen.role.where} stood on the node that was hit"
    return _spread("all-on-one-node", seen, f"{text}: spread over kubernetes.io/hostname, and the others serve meanwhile.")


def all_in_one_zone(seen: Observed) -> Advice | None:
    """Find that all replicas stood in the zone that was hit."""
    zones = seen.role.zones or ()
    if not seen.on_nodes or seen.role.nodes <= 1 or len(zones) != 1 or not seen.lost_all or not seen.unserved:
        return None
    text = f"All {seen.role.ready} replicas of {seen.role.where} stood in zone {zones[0]}, which was hit"
    return _spread("all-in-one-zone", seen, f"{text}: spread over topology.kubernetes.io/zone, and another zone serves meanwhile.")


def pinned(seen: Observed) -> Advice | None:
    """Find that a replica could not move away from the node that was lost."""
    if not seen.on_nodes or seen.graceful or not seen.role.pinned or not seen.slow:
        return None
    text = f"A replica of {seen.role.where} may run on one node only ({seen.role.pinned[0]}), so it could be back only with the lost node"
    field = "spec.volumeClaimTemplates" if "PersistentVolumeClaim" in seen.role.pinned[0] else "spec.template.spec.affinity"
    return Advice(
        cause="pinned", where=seen.role.where, field=field, sentence=f"{text}: let it run, and have its data, on another one too.",
        explains_s=seen.took_s,
    )  # fmt: skip


def no_room(seen: Observed) -> Advice | None:
    """Find a replacement that waited for a node with room."""
    if not seen.slow or seen.unplaced_s < WAITED_S:
        return None
    text = f"A new replica of {seen.role.where} waited {seconds(seen.unplaced_s)} for a node on which it may run and finds room"
    return Advice(
        cause="no-room", where=seen.role.where, field="spec.template.spec.affinity, or a node more",
        sentence=f"{text}: keep room for one on a node to spare, or prefer nodes where the manifest requires them.",
        explains_s=min(seen.unplaced_s, seen.took_s), sure="seen",
    )  # fmt: skip


def _spread(cause: str, seen: Observed, sentence: str) -> Advice:
    return Advice(cause=cause, where=seen.role.where, field=SPREAD, sentence=sentence, explains_s=seen.took_s, sure="seen")
