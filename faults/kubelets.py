"""Kubelets: one hangs while everything else on its node goes on. Kubernetes loses sight of the node, its users need not."""

from __future__ import annotations

from random import Random

from faults.mechanisms import fault_pod
from faults.mechanisms.fault_pod import ENDS, FaultPod, by_fault_pod
from faults.nodes import node_permissions
from history.plan import ResolvedTarget
from kube.client import Platform
from kube.permissions import Permission, in_namespace
from kube.selection import choose_node, node_target
from safety import fault_steps
from safety.fault_spec import Arguments, KillTrial, duration_s


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    for_s = duration_s("freeze", arguments["for_s"])
    node = choose_node(platform, arguments["role"], rng)
    return [node_target(node, f"its kubelet is frozen for {for_s:g} s, its pods go on", ENDS.format(for_s=for_s))]


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    asked = in_namespace(platform.target.role(arguments["role"]).namespace, ("list", "pods"), ("get", "pods/proxy"))
    leases = Permission("get", "leases", "coordination.k8s.io", "kube-node-lease")
    return [*node_permissions(platform), leases, *asked, *fault_pod.permissions(platform)]


@by_fault_pod(
    resolve=_resolve,
    permissions=_permissions,
    ends=f"{ENDS}; nobody can tell a frozen kubelet to end it before",
    evidence=("probes.nodes.silent_alive", "probes.nodes.silent"),
    killed=KillTrial(on="nodes", lasting=("probes.nodes.silent",)),
    displaces=True,
)
def freeze(role: str, for_s: float) -> dict[str, object]:
    """Freeze the kubelet of one node that hosts ``role`` for ``for_s`` seconds: its pods, its network and its disk go on.

    A kubelet that hangs, or lost its container runtime, looks like this. Kubernetes calls the node lost after its grace period, takes its
    pods out of Services and replaces them, while they still serve. Nothing on the node is started, ended or probed meanwhile. Mechanism: a
    fault pod. It ends by itself, and not before, since a fault pod is ended by its kubelet.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the fault pod was not admitted, did not start, or refused.

    """
    run, targets, _ = fault_steps.begin()
    fault_pod.inject(run, targets, [FaultPod(target, target.name, ("kubelet-freeze",), for_s, heard=False) for target in targets])
    return {"targets": [target.name for target in targets], "role": role, "for_s": for_s}
