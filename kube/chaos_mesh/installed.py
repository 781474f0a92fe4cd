"""What carries chaos objects out: Chaos Mesh's controller, and its daemon on each node. All raise ApiException."""

from __future__ import annotations

from kube.client import Platform, ready
from kube.objects import Pod
from target.region import CONTROLLER, DAEMON, ChaosMesh

FILTER, WHOLE, ONLY = "ENABLE_FILTER_NAMESPACE", "CLUSTER_SCOPED", "TARGET_NAMESPACE"  # variables of the controller
ANNOTATION, ENABLED = "chaos-mesh.org/inject", "enabled"  # of a namespace, where the controller filters by it


def controllers(platform: Platform, mesh: ChaosMesh) -> list[Pod]:
    """Return the controller's ready pods."""
    return [pod for pod in platform.pods_in(mesh.namespace, CONTROLLER) if ready(pod)]


def nodes_with_daemon(platform: Platform, mesh: ChaosMesh) -> set[str]:
    """Return the nodes on which a daemon is ready."""
    return {pod.spec.node_name for pod in platform.pods_in(mesh.namespace, DAEMON) if ready(pod) and pod.spec.node_name}


def settings(controller: Pod) -> dict[str, str]:
    """Return the controller's environment, as far as its manifest says it."""
    return {one.name: one.value for container in controller.spec.containers for one in container.env or [] if one.value is not None}
