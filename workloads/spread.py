"""Whether replicas stand in different zones: Kubernetes spreads pods when it places them and never moves them back."""

from collections import Counter
from typing import Any

ZONE = "topology.kubernetes.io/zone"
GPU = "nvidia.com/gpu"
Object = dict[str, Any]  # of the API, as JSON


def replicas_by_zone(deployment: Object, pods: list[Object], nodes: list[Object]) -> dict[str, int]:
    """Count a Deployment's running pods in each zone that could take one (a Ready, schedulable node there, with a GPU if it needs one).

    ``pods`` and ``nodes`` are objects of the API; the pods are those of the Deployment's selector.
    """
    template = deployment["spec"]["template"]["spec"]
    needs_gpu = any(GPU in container.get("resources", {}).get("limits", {}) for container in template["containers"])
    zone_of = {node["metadata"]["name"]: node["metadata"]["labels"].get(ZONE, "") for node in nodes}
    zones = {zone_of[node["metadata"]["name"]] for node in nodes if _usable(node, needs_gpu)}
    counted = Counter(zone_of.get(pod["spec"].get("nodeName", ""), "") for pod in pods if _counts(pod))
    return {zone: counted[zone] for zone in sorted(zones)}


def uneven(deployment: Object, by_zone: dict[str, int]) -> bool:
    """Return whether the zones differ by more than the Deployment's own constraint wants; false if it has none."""
    constraints = deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
    allowed = [constraint["maxSkew"] for constraint in constraints if constraint["topologyKey"] == ZONE]
    return bool(allowed and by_zone) and max(by_zone.values()) - min(by_zone.values()) > min(allowed)


def _usable(node: Object, needs_gpu: bool) -> bool:
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
    has_gpu = int(node["status"]["allocatable"].get(GPU, 0)) > 0
    return ready and not node["spec"].get("unschedulable", False) and (has_gpu or not needs_gpu)


def _counts(pod: Object) -> bool:
    return pod["status"]["phase"] in ("Pending", "Running") and "deletionTimestamp" not in pod["metadata"]
