"""The blast radius of a fault: what of the platform may be touched, and how much of it at once.

:func:`check` collects what it needs to know (:mod:`safety.surroundings`) and refuses with every objection at once. :func:`objections` is
pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from history.errors import TargetRefused
from history.plan import NAMESPACE, ResolvedTarget
from kube import control_plane
from kube.client import Platform
from kube.controllers.groups import with_mates
from kube.objects import Named, Pod
from kube.selection import is_control_plane
from safety.role_share import ALLOWED_BY, hit_of_roles, names_of, single_points, together
from safety.surroundings import Surroundings, direct_pods, key_of, survey
from target.allow import Allow
from target.target import Target

SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})
UNCONSENTED = "which has not consented"
ALLOW_CLUSTER_WIDE = "if that is meant, say allow: {cluster_wide: true} in an experiment of your own"
ALLOW_OVERLOAD = "if that is meant, say allow: {overload: true} in an experiment of your own"
DEVICE_PLUGINS = "/var/lib/kubelet/device-plugins"  # every device plugin must mount this folder of its node


def check(platform: Platform, targets: Sequence[ResolvedTarget], allow: Allow | None = None) -> None:
    """Refuse targets that must not be touched.

    Raises:
        TargetRefused: with all objections, parted by semicolons; its risks are the single points of failure among them.

    """
    around, allowed = survey(platform, targets), allow or Allow()
    against = objections(platform.target, targets, around, allowed)
    if against:
        risks = () if allowed.last_replica else tuple(single_points(platform.target, targets, around).values())
        raise TargetRefused("beyond the blast radius: " + "; ".join(against), risks, tuple(against))


def objections(target: Target, targets: Sequence[ResolvedTarget], around: Surroundings, allow: Allow) -> list[str]:
    """Return every reason why ``targets`` must not be touched, as sentences; empty if they may be."""
    against: list[str] = [] if targets else ["no target was resolved; a fault that touches nothing proves nothing"]
    for hit in targets:
        if hit.kind == "Pod":
            against += _against_pod(target, hit, around)
        elif hit.kind == NAMESPACE:
            against += _against_whole_namespace(target, hit, around, allow)
        elif hit.kind == control_plane.KIND:
            against += _against_control_plane(target, hit, allow)
        else:
            against += _against_node(target, hit, around)
    against += _against_overload(target, targets, allow)
    return against + _against_extent(target, targets, around) + _against_roles(target, targets, around, allow)


def _against_pod(target: Target, hit: ResolvedTarget, around: Surroundings) -> list[str]:
    namespace, what = hit.namespace or "", f"pod {hit.namespace}/{hit.name}"
    against = against_namespace(target, hit.region, namespace, around.namespaces, what)
    if any(key_of(pod) == (namespace, hit.name) for pod in around.instruments):
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
        return [f"{what} is in namespace {namespace}, {UNCONSENTED}: kubectl label namespace {namespace} {target.consent_label}"]
    return []


def _against_whole_namespace(target: Target, hit: ResolvedTarget, around: Surroundings, allow: Allow) -> list[str]:
    against = against_namespace(target, hit.region, hit.name, around.namespaces, f"namespace {hit.name}")
    if hit.cluster_wide and not allow.cluster_wide and not target.regions[hit.region].embedded:
        against.append(f"namespace {hit.name} would be hit by an object of the whole cluster; {ALLOW_CLUSTER_WIDE}")
    return against


def _against_control_plane(target: Target, hit: ResolvedTarget, allow: Allow) -> list[str]:
    driver = target.regions[hit.region].control_plane
    if allow.cluster_wide or (driver is not None and driver.embedded):
        return []
    return [f"{hit.name} of the control plane: everybody on this cluster depends on it; {ALLOW_CLUSTER_WIDE}"]


def _against_overload(target: Target, targets: Sequence[ResolvedTarget], allow: Allow) -> list[str]:
    """Return the objection against more load than a class's own, one for each region: no limit on pods says anything of it."""
    regions = dict.fromkeys(hit.region for hit in targets if hit.overloaded)
    asked = [] if allow.overload else [name for name in regions if not target.regions[name].embedded]
    return [f"region {name} would be given much more than its load, and whoever shares it suffers, too; {ALLOW_OVERLOAD}" for name in asked]


def _against_node(target: Target, hit: ResolvedTarget, around: Surroundings) -> list[str]:
    what, name = f"{hit.kind.lower()} {hit.name}", hit.node or hit.name
    node = around.nodes.get(name)
    if node is None:
        return [f"{what}: node {name} is not there any more"]
    against = [f"{what} belongs to the control plane"] if is_control_plane(node) else []
    if hit.kind != "Node":
        return against
    hosted = [pod for pod in around.instruments if pod.spec.node_name == name]
    against += [f"{what} hosts the instrument {'/'.join(key_of(pod))}: move it out of the blast radius" for pod in hosted]
    for namespace in sorted({pod.metadata.namespace for pod in around.pods_on.get(name, ()) if _suffers(pod)}):
        if namespace not in SYSTEM_NAMESPACES | {target.suite.namespace}:
            against += against_namespace(target, hit.region, namespace, around.namespaces, f"{what} runs a pod that")
    return against


def _suffers(pod: Named) -> bool:
    """Tell whether a pod at work suffers from the loss of its node: its owner is no DaemonSet."""
    return not any(owner.kind == "DaemonSet" for owner in pod.metadata.owner_references or [])


def is_device_plugin(pod: Pod) -> bool:
    """Tell whether a V1Pod is a device plugin: it mounts the folder in which device plugins meet the kubelet."""
    paths = [volume.host_path.path for volume in pod.spec.volumes or [] if volume.host_path]
    return any(path.rstrip("/") == DEVICE_PLUGINS for path in paths)


def _against_extent(target: Target, targets: Sequence[ResolvedTarget], around: Surroundings) -> list[str]:
    direct = direct_pods(together(targets))
    pods, nodes = len(with_mates(direct, around.mates)), len({t.node for t in targets if t.kind != "Pod" and t.node})
    grouped = f", since a pod's whole group is made anew with it ({len(direct)} pods in {pods})" if pods > len(direct) else ""
    over = [f"{pods} pods would be touched, limits.pods is {target.limits.pods}{grouped}"] if pods > target.limits.pods else []
    return over + ([f"{nodes} nodes would be touched, limits.nodes is {target.limits.nodes}"] if nodes > target.limits.nodes else [])


def _against_roles(target: Target, targets: Sequence[ResolvedTarget], around: Surroundings, allow: Allow) -> list[str]:
    against, single = [], single_points(target, targets, around)
    for role, (up, hit) in hit_of_roles(targets, around).items():
        if hit and len(hit) == len(up):
            if not allow.last_replica:
                lost = f"role {role} would lose its last ready replica ({names_of(hit)}); {ALLOWED_BY}"
                against.append(single.get(role, lost))
        elif hit and len(hit) > target.limits.share_of_role * len(up) and not allow.share_of_role:
            share = target.limits.share_of_role
            against.append(f"role {role} would lose {len(hit)} of {len(up)} ready replicas, limits.share_of_role is {share:.0%}")
    return against
