"""Chaos objects of Chaos Mesh (API version v1alpha1): which kinds there are, and what their controller says of them in their status.

The controller's word proves nothing. It says when a fault should act, and why something hangs.
"""

from __future__ import annotations

from kube.client import Platform, unless_gone
from kube.lists import paging
from target.job_kinds.kind import Plain, Resource

GROUP, VERSION = "chaos-mesh.org", "v1alpha1"
POD, NETWORK = Resource(GROUP, VERSION, "podchaos", "PodChaos"), Resource(GROUP, VERSION, "networkchaos", "NetworkChaos")
MADE = (POD, NETWORK)
"""The kinds that the suite makes."""
ON_PODS = (
    "blockchaos", "dnschaos", "httpchaos", "iochaos", "jvmchaos", "kernelchaos", "networkchaos", "podchaos", "stresschaos", "timechaos",
)  # fmt: skip
"""The kinds that act on pods, in the plural, which is their singular too."""
AT_ONCE = frozenset({"pod-kill", "container-kill"})  # actions that are over as soon as they acted; their duration means nothing
PAUSED = "experiment.chaos-mesh.org/pause"  # an annotation: "true" ends what an object does for as long as it stands
NOT_INJECTED = "Not Injected"
TRUE = "True"


def of(plural: str) -> Resource | None:
    """Return the kind that the suite makes of that name."""
    return next((kind for kind in MADE if kind.plural == plural), None)


def injected(chaos: Plain, pod: str) -> bool:
    """Tell whether the controller says that it acted on exactly this pod (namespace/name).

    ``Selected`` and ``AllInjected`` must both be true, and a record there: of a pod that is missing, releases said ``AllInjected`` alone
    (chaos-mesh issue 3374).
    """
    said = {one.get("type"): one.get("status") for one in _status(chaos).get("conditions") or []}
    records = _records(chaos)
    acted = [one["id"] for one in records if one.get("phase") == "Injected"]
    return said.get("Selected") == said.get("AllInjected") == TRUE and acted == [one["id"] for one in records] == [pod]


def words(chaos: Plain) -> str:
    """Return what the controller says of an object: what is true of it, and the last thing that went wrong for each pod."""
    if not _status(chaos).get("conditions") and not _records(chaos):
        return "nothing"
    true = [str(one.get("type")) for one in _status(chaos).get("conditions") or [] if one.get("status") == TRUE]
    said = [f"true of it is {', '.join(true) or 'nothing'}"]
    for record in _records(chaos):
        failed = [str(one.get("message")) for one in record.get("events") or [] if one.get("type") == "Failed" and one.get("message")]
        said.append(f"pod {record.get('id')} is {record.get('phase')}{f', last failure: {failed[-1][:300]}' if failed else ''}")
    return "; ".join(said)


def acting_on(platform: Platform, pod: str) -> list[str]:
    """Return the chaos objects of all namespaces that act on a pod (namespace/name), or are about to: kind and name of each.

    Raises ApiException, but where a kind is not served.
    """
    return [
        f"{plural} {one['metadata'].get('namespace')}/{one['metadata']['name']}"
        for plural in ON_PODS
        for one in _everywhere(platform, plural)
        if _acts_on(one, pod)
    ]


def _everywhere(platform: Platform, plural: str) -> list[Plain]:
    found = unless_gone(lambda: paging.listed(platform.custom.list_cluster_custom_object, GROUP, VERSION, plural))
    return found.items if found else []


def _acts_on(chaos: Plain, pod: str) -> bool:
    """Tell whether an object that is not over acts on a pod: its records name pods, or containers of them."""
    if (chaos.get("spec") or {}).get("action") in AT_ONCE:
        return False
    runs = (_status(chaos).get("experiment") or {}).get("desiredPhase") == "Run"
    return any(
        (runs or one.get("phase") != NOT_INJECTED) and (str(one.get("id")) == pod or str(one.get("id")).startswith(f"{pod}/"))
        for one in _records(chaos)
    )


def _records(chaos: Plain) -> list[Plain]:
    return list((_status(chaos).get("experiment") or {}).get("containerRecords") or [])


def _status(chaos: Plain) -> Plain:
    return dict(chaos.get("status") or {})
