"""Chaos Mesh, where a region of the target has it: a fault is an object of its API, made in the suite's own namespace, one for each pod.

It takes the place of fault pods, on clusters that let only Chaos Mesh run with privileges. An object is written ahead in the journal,
bounded by its ``duration``, and ended by its deletion (:mod:`safety.chaos`). But its controller and its daemon end it, and only while they
live: so the plan says, and preflight demands that they are well (:mod:`faults.mechanisms.chaos_mesh_check`).

Which kinds are used: PodChaos (pod-kill) and NetworkChaos (partition). Nothing else that it can make is equal to a fault of ours.

The stamped beginning of a fault is just before its object is made: the controller needs a while to act, and only it knows how long. So a
recovery is measured as too long by that while rather than too short. The fault's own account says what it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from faults.mechanisms.fault_pod import RUN_LABEL, label_of
from history.errors import FaultFailed, TargetRefused
from history.plan import ResolvedTarget
from kube import plain_objects
from kube.chaos_mesh import chaos
from kube.client import Platform, api_errors, unless_gone
from kube.objects import Node, Pod
from kube.permissions import Permission
from kube.selection import pods_among
from kube.wait import until
from safety import fault_steps
from safety.active_run import ActiveRun
from safety.chaos import detail_of, name_of
from safety.undo_journal import UndoKind
from target.job_kinds.kind import Plain, Resource

MANAGED = {"app.kubernetes.io/managed-by": "aftershock", "aftershock.dev/kind": "chaos"}
ENDS = "Chaos Mesh ends it after {for_s:g} s, only while its controller and the daemon on the pod's node live"
ACTS_S = 45.0  # for the controller to see an object, and for its daemon to do it
POLL_S = 0.1
OWN = ("network.cilium.io/ipv4-cilium-host", "projectcalico.org/IPv4IPIPTunnelAddr", "projectcalico.org/IPv4VXLANTunnelAddr")
"""Annotations in which network plugins say from which further address a node speaks to its pods."""


@dataclass(frozen=True, slots=True)
class Chaos:
    """A chaos object to be made for one pod; ``for_s`` 0: it is over as soon as it acted."""

    target: ResolvedTarget
    kind: Resource
    spec: Plain
    for_s: float = 0.0


def used(platform: Platform) -> bool:
    """Tell whether faults are made by Chaos Mesh here."""
    return platform.region.chaos_mesh is not None


def permissions(platform: Platform, kind: Resource, namespace: str) -> list[Permission]:
    """Return what making, seeing and ending objects of ``kind`` takes that act on pods of ``namespace``.

    Chaos Mesh's admission webhook asks for the right to make them where the pods are, not only where the object stands. Other chaos on the
    same pods is looked for in all namespaces, and with that what an earlier run left.
    """
    own = platform.target.suite.namespace
    needed = [Permission(verb, kind.plural, chaos.GROUP, own) for verb in ("create", "get", "delete")]
    needed.append(Permission("create", kind.plural, chaos.GROUP, namespace))
    return [*needed, *(Permission("list", plural, chaos.GROUP) for plural in chaos.ON_PODS)]


def kill(run: ActiveRun, targets: list[ResolvedTarget]) -> list[Plain]:
    """Kill pods without grace; return the objects' accounts. Raises as :func:`inject`."""
    return inject(run, [killing(target) for target in targets])


def isolate(role: str, for_s: float, count: int | None = None) -> dict[str, object]:
    """Cut the target pods of the activity being executed off from everything but their own nodes.

    Raises:
        TargetRefused: no live run.
        FaultFailed: other than ``count`` targets were resolved; otherwise as :func:`inject`.

    """
    run, targets, objects = fault_steps.begin()
    fault_steps.demand_count(role, targets, count)
    planned = [partition(run.platform, target, pod, for_s) for target, pod in zip(targets, pods_among(objects), strict=True)]
    return {"targets": [target.name for target in targets], "role": role, "for_s": for_s, "injector": inject(run, planned)}


def killing(target: ResolvedTarget) -> Chaos:
    """Return the chaos that kills a pod as a deletion without grace does."""
    return Chaos(target, chaos.POD, {"action": "pod-kill", "gracePeriod": 0, **_selecting(target)})


def partition(platform: Platform, target: ResolvedTarget, pod: Pod, for_s: float) -> Chaos:
    """Return the chaos that drops all that a pod sends and gets, but for its own node: a kubelet that cannot ask would restart it.

    Raises FaultFailed: the node cannot be read.
    """
    with api_errors(f"pod {target.namespace}/{target.name}: read its node", FaultFailed):
        node = platform.node(pod.spec.node_name or "")
    return Chaos(target, chaos.NETWORK, partition_spec(target, own_addresses(node, pod), for_s), for_s)


def partition_spec(target: ResolvedTarget, spared: Iterable[IPv4Address], for_s: float) -> Plain:
    """Return what a NetworkChaos says that cuts a pod off from all addresses but those that are ``spared``, for ``for_s`` seconds."""
    cut = {"direction": "both", "externalTargets": [str(net) for net in all_but(spared)], "duration": f"{for_s:g}s"}
    return {"action": "partition", **_selecting(target), **cut}


def own_addresses(node: Node, pod: Pod) -> set[IPv4Address]:
    """Return the IPv4 addresses from which a node may speak to its pod: its own, the first of its pods' range, and a plugin's.

    A node that does not say what range its pods have is taken to have 256 addresses for them, Kubernetes' default.
    """
    assumed = [f"{pod.status.pod_ip}/24"] if pod.status.pod_ip else []
    ranges = node.spec.pod_cidrs or ([node.spec.pod_cidr] if node.spec.pod_cidr else assumed)
    networks = [IPv4Network(one, strict=False) for one in ranges if ":" not in one]
    gateways = [str(one[1]) for one in networks if one.num_addresses > 1]
    annotations = node.metadata.annotations or {}
    said = [one.address for one in node.status.addresses or []] + gateways + [annotations[name] for name in OWN if name in annotations]
    return {address for text in said if (address := _address(text))}


def all_but(spared: Iterable[IPv4Address]) -> list[IPv4Network]:
    """Return networks that hold every IPv4 address but these. Two at least: an ipset takes none of all addresses at once."""
    networks = [IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1")]
    for address in map(IPv4Network, sorted(spared)):
        holding = [one for one in networks if address.subnet_of(one)]
        networks = [one for one in networks if one not in holding] + [part for one in holding for part in one.address_exclude(address)]
    return sorted(networks)


def refuse_ipv6(pods: Iterable[Pod]) -> None:
    """Refuse pods that can be reached by what a NetworkChaos does not cut. Raises TargetRefused."""
    both = [pod.metadata.name for pod in pods if any(":" in (one.ip or "") for one in pod.status.pod_ips or [])]
    if both:
        said = "have an address of IPv6, and Chaos Mesh cuts IPv4 alone; such a pod would stay in reach"
        raise TargetRefused(f"pods {', '.join(both)} {said}; leave chaos_mesh out of the region to use fault pods")


def inject(run: ActiveRun, planned: list[Chaos]) -> list[Plain]:
    """Write ahead, stamp t_fault, make all objects at once; return when the controller said of each that it had acted.

    Raises:
        FaultFailed: one was not admitted, or its controller does not say within 45 s that it acted on its pod alone; what was made is
            bounded by its duration, and heal deletes it.

    """
    for each in planned:
        run.journal.will_undo(
            fault_steps.entry(
                run,
                UndoKind.DELETE_CHAOS,
                name_of(run.plan.run_id, each.target),
                namespace=run.platform.target.suite.namespace,
                detail=detail_of(each.kind, each.target),
                lasts_s=each.for_s,
                self_ends=each.target.ends,
            )
        )
    run.fault_starts([each.target for each in planned])
    with ThreadPoolExecutor(len(planned)) as pool:
        return list(pool.map(lambda each: _make(run, each), planned))


def manifest(run_id: str, activity: str, planned: Chaos, namespace: str) -> Plain:
    """Return a chaos object of the suite."""
    meta = {
        "name": name_of(run_id, planned.target),
        "namespace": namespace,
        "labels": MANAGED | {RUN_LABEL: label_of(run_id)},
        "annotations": {"aftershock.dev/activity": activity},
    }
    return {"apiVersion": planned.kind.api_version, "kind": planned.kind.kind, "metadata": meta, "spec": planned.spec}


def _selecting(target: ResolvedTarget) -> Plain:
    return {"mode": "all", "selector": {"pods": {target.namespace or "": [target.name]}}}


def _make(run: ActiveRun, planned: Chaos) -> Plain:
    """Make one object and wait until its controller says that it acted. Raises FaultFailed."""
    namespace, kind, target = run.platform.target.suite.namespace, planned.kind, planned.target
    made, begun_s, seen = manifest(run.plan.run_id, run.activity, planned, namespace), time.monotonic(), [dict[str, object]()]
    name, pod = made["metadata"]["name"], f"{target.namespace}/{target.name}"

    def acted() -> bool:
        seen[0] = unless_gone(lambda: plain_objects.read(run.platform, kind, namespace, name)) or {}
        return chaos.injected(seen[0], pod)

    with api_errors(f"make {kind.kind} {namespace}/{name}", FaultFailed):
        plain_objects.create(run.platform, kind, namespace, made)
        if not until(acted, ACTS_S, POLL_S):
            raise FaultFailed(
                f"{kind.kind} {namespace}/{name}: its controller does not say within {ACTS_S:g} s that it acted on pod {pod} alone; "
                f"it says: {chaos.words(seen[0])}; see kubectl -n {namespace} get events, and the logs of Chaos Mesh's controller "
                f"and of its daemon on {target.node}"
            )
    return {"chaos": f"{kind.kind} {namespace}/{name}", "controller_said_so_after_s": round(time.monotonic() - begun_s, 2)}


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except AddressValueError:
        return None  # a name, or an address of IPv6
