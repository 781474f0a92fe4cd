"""How many replicas a role should have now: by the controllers that the target file names or that own the pods, or by the file itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kube.client import FINISHED, Platform
from kube.controllers.kinds import Controller, permission_to_read, read_named
from kube.controllers.owners import found_by_owner
from kube.objects import Pod
from kube.permissions import Permission
from target.role import Role

FOUND = ("deployments", "statefulsets", "replicasets")
WORKER = "leaderworkerset.sigs.k8s.io/worker-index"


def controllers_of(platform: Platform, role: Role, pods: Iterable[Pod] | None = None) -> list[Controller]:
    """Return what makes the pods of ``role``: the one that its target file names, else those that own its pods.

    Empty: the file says the number itself, or nobody does. ``pods``: those of the role, if they are at hand. Raises ApiException.
    """
    if role.replicas is not None:
        return []
    if role.controller is not None:
        return [read_named(platform, role.controller, role.namespace)]
    return found_by_owner(platform, role.namespace, _pods(platform, role) if pods is None else pods)


def wanted(platform: Platform, role: Role, pods: Sequence[Pod] | None = None) -> int | None:
    """Return how many replicas ``role`` should have now; None: nobody says. ``pods`` as in :func:`controllers_of`. Raises ApiException."""
    return role.replicas if role.replicas is not None else wanted_of(platform, role, controllers_of(platform, role, pods), pods)


def wanted_of(platform: Platform, role: Role, controllers: Sequence[Controller], pods: Sequence[Pod] | None = None) -> int | None:
    """Return how many pods of ``role`` its ``controllers`` want together; None: there are none. Raises ApiException.

    Where the role's selector selects nothing but the leaders of groups, each group is one replica.
    """
    counts = [one.wanted for one in controllers if one.wanted is not None]
    if any(one.size > 1 for one in controllers):
        leaders = _only_leaders(_pods(platform, role) if pods is None else pods)
        counts = [count // one.size if leaders else count for one, count in zip(controllers, counts, strict=True)]
    return sum(counts) if counts else None


def _only_leaders(pods: Iterable[Pod]) -> bool:
    indices = {(pod.metadata.labels or {}).get(WORKER) for pod in pods}
    return indices == {"0"}


def _pods(platform: Platform, role: Role) -> list[Pod]:
    return [pod for pod in platform.pods_in(role.namespace, role.selector) if pod.status.phase not in FINISHED]


def permissions(role: Role) -> list[Permission]:
    """Return what knowing how many replicas ``role`` should have needs."""
    if role.controller is not None:
        return [permission_to_read(role.controller, role.namespace)]
    if role.replicas is not None or role.of_run:
        return []
    return [Permission("get", resource, "apps", role.namespace) for resource in FOUND]
