"""How many replicas a controller is to have, set through its scale subresource, as ``kubectl scale`` does it.

Each change replaces the version that was read, so nobody else's is overwritten.
"""

from __future__ import annotations

from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import TargetRefused
from kube.client import Platform, api_errors
from kube.controllers.kinds import Reference
from kube.controllers.resized import AUTOSCALER, autoscalers
from kube.permissions import Permission
from target.role import KINDS

TRIES = 8  # of one change, while the controller's own status changes


def permissions(namespace: str, kinds: tuple[str, ...]) -> list[Permission]:
    """Return what scaling controllers of these kinds in a namespace needs, and seeing whether an autoscaler does it."""
    scaled = [Permission(verb, f"{KINDS[kind].plural}/scale", KINDS[kind].group, namespace) for kind in kinds for verb in ("get", "update")]
    return [*scaled, Permission("list", "horizontalpodautoscalers", "autoscaling", namespace)]


def refuse_autoscaled(platform: Platform, reference: Reference, namespace: str) -> None:
    """Raise TargetRefused: an autoscaler sets how many replicas there are (KEDA makes one, too), or nobody may look."""
    with api_errors(f"look who scales {reference}", TargetRefused):
        found = autoscalers(platform, namespace)
    names = [name for name, scaled in found.items() if scaled == (reference.kind, reference.name)]
    if names:
        raise TargetRefused(
            f"{reference} is scaled by {AUTOSCALER} {', '.join(names)}, which would set another number at once; pause it for the run"
        )


def scale(platform: Platform, reference: Reference, namespace: str, was: int, to: int) -> int:
    """Set ``to`` replicas if there are ``was`` of them; return how many there were, which is another number if nothing was changed.

    Raises ApiException: it is gone, or it changed 8 times meanwhile (409).
    """
    api, resource = client.CustomObjectsApi(platform.api), KINDS[reference.kind]
    at = (resource.group, resource.version, namespace, resource.plural, reference.name)
    for left in reversed(range(TRIES)):
        found: Any = api.get_namespaced_custom_object_scale(*at)
        now = int(found["spec"].get("replicas") or 0)
        if now != was:
            return now
        try:
            api.replace_namespaced_custom_object_scale(*at, found | {"spec": found["spec"] | {"replicas": to}})
        except ApiException as error:
            if error.status != 409 or not left:
                raise
        else:
            break
    return was
