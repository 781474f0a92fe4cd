"""The blast radius of a fault: what of the platform may be touched, and how much of it at once.

:func:`check` collects what it needs to know (:class:`Surroundings`) and refuses with every objection at once. :func:`objections` is pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform, api_errors, ready
from kube.objects import Node, Pod
from kube.selection import instrument_pods, is_control_plane
from target.allow import Allow
from target.target import Target

SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})
DEVICE_PLUGINS = "/var/lib/kubelet/device-plugins"  # every device plugin must mount this folder of its node


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What must be known of the platform; pods and nodes are V1Pod and V1Node."""

    namespaces: Mapping[str, Mapping[str, str]]  # name -> labels, of every namespace that a target or a pod on a target node lives in
    nodes: Mapping[str, Node]  # of every target
    pods: Mapping[tuple[str, str], Pod]  # (namespace, name) -> every targeted pod that is there
    pods_on: Mapping[str, Sequence[Pod]]  # node -> pods on it, for every node that goes down
    roles: Mapping[str, Sequence[Pod]]  # role -> its pods
    instruments: Sequence[Pod] = field(default=())  # pods


def check(platform: Platform, targets: Sequence[ResolvedTarget], allow: Allow | None = None) -> None:
    """Refuse targets that must not be touched.

    Raises:
        TargetRefused: with all objections, parted by semicolons.

    """
    against = objections(platform.target, targets, survey(platform, targets), allow or Allow())
    if against:
        raise TargetRefused("beyond the blast radius: " + "; ".join(against))


def survey(platform: Platform, targets: Sequence[ResolvedTarget]) -> Surroundings:
    """Collect what :func:`objections` needs. Raises TargetRefused if it may not be read."""
    with api_errors("look at the targets' surroundings", TargetRefused):
        node_names = {target.node for target in targets if target.kind in {"Node", "Device"} and target.node}
        pods_on = {name: platform.all_pods(name) for name in sorted({t.name for t in targets if t.kind == "Node"})}
        listed = [pod for name in _namespaces_of(targets) for pod in platform.pods_in(name)]
        wanted = {(target.namespace, target.name) for target in targets if target.kind == "Pod"}
        pods = {_key(pod): pod for pod in listed if _key(pod) in wanted}
        names = set(_namespaces_of(targets)) | {pod.metadata.namespace for on in pods_on.values() for pod in on}
        return Surroundings(
            namespaces={name: _labels(platform, name) for name in sorted(names)},
            nodes={name: platform.node(name) for name in sorted(node_names)},
            pods=pods,
            pods_on=pods_on,
            roles=platform.pods_of_roles(),
            instruments=instrument_pods(platform),
        )


def objections(target: Target, targets: Sequence[ResolvedTarget], around: Surroundings, allow: Allow) -> list[str]:
    """Return every reason why ``targets`` must not be touched, as sentences; empty if they may be."""
    against: list[str] = [] if targets else ["no target was resolved; a fault that touches nothing proves nothing"]
    for hit in targets:
        if hit.kind == "Pod":
            against += _against_pod(target, hit, around)
        else:
            against += _against_node(target, hit, around)
    return against + _against_extent(target, targets) + _against_roles(target, targets, around, allow)


def _against_pod(target: Target, hit: ResolvedTarget, around: Surroundings) -> list[str]:
    namespace, what = hit.namespace or "", f"pod {hit.namespace}/{hit.name}"
    against = against_namespace(target, hit.region, namespace, around.namespaces, what)
    if any(_key(pod) == (namespace, hit.name) for pod in around.instruments):
        against.append(f"{what} is an instrument: the measurement depends on it")
    pod = around.pods.get((namespace, hit.name))
    if pod is None:
        against.append(f"{what} is not there any more")
    elif is_device_plugin(pod):
        against.append(f"{what} is a device plugin: without it the node loses every device, not the one that is meant")
    elif "kubernetes.io/config.mirror" in (pod.metadata.annotations or {}):
        against.append(f"{what} is a static pod of its node: deleting it changes nothing but the record")
    return against


def against_namespace(target: Target, region: str, namespace: str, labels_of: Mapping[str, Mapping[str, str]], what: str) -> list[str]:
    """Return the objections against touching something in ``namespace``."""
    allowed = target.regions[region].namespaces
    key, _, value = target.consent_label.partition("=")
    if namespace in SYSTEM_NAMESPACES:
        return [f"{what} is in {namespace}: system namespaces are protected"]
    if namespace == target.suite.namespace:
        return [f"{what} is in the suite's own namespace {namespace}"]
    if namespace not in allowed:
        return [f"{what} is in namespace {namespace}, the target file allows {', '.join(allowed)}; add it under namespaces if meant"]
    if labels_of.get(namespace, {}).get(key) != value:
        return [f"{what} is in namespace {namespace}, which has not consented: kubectl label namespace {namespace} {target.consent_label}"]
    return []


def _against_node(target: Target, hit: ResolvedTarget, around: Surroundings) -> list[str]:
    what, name = f"{hit.kind.lower()} {hit.name}", hit.node or hit.name
    node = around.nodes.get(name)
    if node is None:
        return [f"{what}: node {name} is not there any more"]
    against = [f"{what} belongs to the control plane"] if is_control_plane(node) else []
    if hit.kind != "Node":
        return against
    hosted = [pod for pod in around.instruments if pod.spec.node_name == name]
    against += [f"{what} hosts the instrument {'/'.join(_key(pod))}: move it out of the blast radius" for pod in hosted]
    for namespace in sorted({pod.metadata.namespace for pod in around.pods_on.get(name, ()) if _suffers(pod)}):
        if namespace not in SYSTEM_NAMESPACES | {target.suite.namespace}:
            against += against_namespace(target, hit.region, namespace, around.namespaces, f"{what} runs a pod that")
    return against


def _suffers(pod: Pod) -> bool:
    """Tell whether a pod suffers from the loss of its node: it is at work, and its owner is no DaemonSet."""
    owners = pod.metadata.owner_references or []
    return pod.status.phase in {"Running", "Pending"} and not any(owner.kind == "DaemonSet" for owner in owners)


def is_device_plugin(pod: Pod) -> bool:
    """Tell whether a V1Pod is a device plugin: it mounts the folder in which device plugins meet the kubelet."""
    paths = [volume.host_path.path for volume in pod.spec.volumes or [] if volume.host_path]
    return any(path.rstrip("/") == DEVICE_PLUGINS for path in paths)


def _against_extent(target: Target, targets: Sequence[ResolvedTarget]) -> list[str]:
    counts = {"pods": sum(t.kind == "Pod" for t in targets), "nodes": len({t.node for t in targets if t.kind != "Pod"})}
    limits = {"pods": target.limits.pods, "nodes": target.limits.nodes}
    over = [name for name, count in counts.items() if count > limits[name]]
    return [f"{counts[name]} {name} would be touched, limits.{name} is {limits[name]}" for name in over]


def _against_roles(target: Target, targets: Sequence[ResolvedTarget], around: Surroundings, allow: Allow) -> list[str]:
    direct = {(t.namespace, t.name) for t in targets if t.kind == "Pod"}
    down = {t.name for t in targets if t.kind == "Node"}
    against = []
    for role, pods in around.roles.items():
        up = [pod for pod in pods if ready(pod)]
        hit = [pod for pod in up if _key(pod) in direct or pod.spec.node_name in down]
        if hit and len(hit) == len(up):
            if not allow.last_replica:
                against.append(f"role {role} would lose its last ready replica ({_names(hit)}); allow it by allow: {{last_replica: true}}")
        elif hit and len(hit) > target.limits.share_of_role * len(up) and not allow.share_of_role:
            share = target.limits.share_of_role
            against.append(f"role {role} would lose {len(hit)} of {len(up)} ready replicas, limits.share_of_role is {share:.0%}")
    return against


def _namespaces_of(targets: Iterable[ResolvedTarget]) -> list[str]:
    return sorted({target.namespace for target in targets if target.namespace})


def _labels(platform: Platform, namespace: str) -> Mapping[str, str]:
    meta = platform.core.read_namespace(namespace).metadata
    return dict((meta and meta.labels) or {})


def _key(pod: Pod) -> tuple[str, str]:
    return pod.metadata.namespace, pod.metadata.name


def _names(pods: Iterable[Pod]) -> str:
    return ", ".join(sorted(pod.metadata.name for pod in pods))
