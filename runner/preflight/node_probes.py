"""Before a real run: on every node that a fault pod is to act on, one that changes nothing must start (a dry run starts none)."""

from __future__ import annotations

from faults.mechanisms.node_probe import probe_nodes
from kube.client import Platform
from kube.permissions import Permission
from runner.preflight.checks import Fault, Targets
from runner.stop import Stop


def check_nodes(faults: list[Fault], targets: Targets, platform: Platform, run_id: str, stop: Stop) -> list[str]:
    """Start them; return how long they took, in a sentence (none: no fault pod is needed). Raises TargetRefused: where none can act."""
    took_s = probe_nodes(platform, run_id, nodes_to_hit(faults, targets, platform), stop.wait)
    each = ", ".join(f"{node} after {seconds:.1f} s" for node, seconds in took_s.items())
    return [f"fault pods can act on: {each}"] if each else []


def nodes_to_hit(faults: list[Fault], targets: Targets, platform: Platform) -> list[str]:
    """Return the nodes on which faults will start fault pods, by the rights that they ask for."""
    made = Permission("create", "pods", namespace=platform.target.suite.namespace)
    by_pod = [fault for fault in faults if made in fault.spec.permissions(platform, fault.arguments)]
    return sorted({target.node for fault in by_pod for target in targets.get(fault.action.name, []) if target.node})


def may_hit(faults: list[Fault], targets: Targets, platform: Platform) -> list[str]:
    """Return the nodes on which another choice of targets could start fault pods: all that host the roles of such faults.

    Raises ApiException.
    """
    by_pod = [fault for fault in faults if nodes_to_hit([fault], targets, platform)]
    roles = {role for fault in by_pod if (role := str(fault.arguments.get("role"))) in platform.target.roles}
    hosts = {pod.spec.node_name for role in roles for pod in platform.pods(role) if pod.spec.node_name}
    return sorted({*hosts, *nodes_to_hit(by_pod, targets, platform)})
