"""What a run's faults displace from nodes: whether there is room for it elsewhere, and which replicas can be back only with their node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from history.errors import TargetRefused
from kube.client import Platform, api_errors
from kube.disruption.room import find_room
from kube.labels import selects
from kube.platform_timers import PlatformTimers
from kube.scheduling import Room
from runner.preflight.checks import Fault, Targets
from target.allow import Allow
from target.target import Target

if TYPE_CHECKING:
    from kube.objects import Pod


def displaced(faults: Sequence[Fault], targets: Targets, platform: Platform, timers: Collection[PlatformTimers], allow: Allow) -> Room:
    """Return what becomes of the pods on the nodes that the faults take away.

    A node that is back before Kubernetes gives it up displaces nothing.

    Raises:
        TargetRefused: pods find no room elsewhere: which, what they ask for and where they might run; unless the experiment allows
            ``without_capacity``.

    """
    leaves_s = min(one.node_monitor_s + one.toleration_s for one in timers)
    displacing = [fault for fault in faults if fault.spec.displaces and not 0 < fault.spec.lasts_s(fault.arguments) <= leaves_s]
    down = {target.name for fault in displacing for target in targets.get(fault.action.name, []) if target.kind == "Node"}
    if not down:
        return Room((), ())
    with api_errors("look for room for what will be displaced", TargetRefused):
        found = find_room(platform, down)
    if found.lacking and not allow.without_capacity:
        raise TargetRefused(
            f"no capacity for what {', '.join(sorted(down))} would lose: {'; '.join(found.lacking)}; nothing was injected; add room, "
            "or allow it in the experiment: allow: {without_capacity: true}"
        )
    return found


def bound_replicas(pods: Collection[Pod], target: Target, desired: Mapping[str, int]) -> dict[str, int]:
    """Return how many of ``pods`` are replicas of each role of ``desired``; roles without any are left out."""
    roles = {name: target.role(name) for name in desired}
    return dict(
        Counter(
            name
            for pod in pods
            for name, role in roles.items()
            if pod.metadata.namespace == role.namespace and selects(role.selector, pod.metadata.labels or {})
        )
    )
