"""The blast radius of a fault: what of the platform may be touched, and how much of it at once.

:func:`check` collects what it needs to know (:class:`Surroundings`) and refuses with every objection at once. :func:`objections` is pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import PARALLEL, Platform, api_errors, ready, unless_gone
from kube.controllers.groups import Key, mates_of, with_mates
from kube.lists.nodes import labels_of_nodes, pods_at_work_on
from kube.objects import Named, Pod
from kube.platform_timers import NODE_MONITOR_S, load_s, start_s, toleration_s
from kube.selection import instrument_pods, is_control_plane
from target.allow import Allow
from target.target import Target

SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})
ALLOWED_BY = "allow it by allow: {last_replica: true} in the experiment"
UNCONSENTED = "which has not consented"
DEVICE_PLUGINS = "/var/lib/kubelet/device-plugins"  # every device plugin must mount this folder of its node


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What must be known of the platform; pods and nodes are V1Pod and V1Node."""

    namespaces: Mapping[str, Mapping[str, str]]  # name -> labels, of every namespace that a target or a pod on a target node lives in
    nodes: Mapping[str, Named]  # of every target
    pods: Mapping[tuple[str, str], Pod]  # (namespace, name) -> every targeted pod that is there
    pods_on: Mapping[str, Sequence[Named]]  # node -> pods at work on it, for every node that goes down
    roles: Mapping[str, Sequence[Pod]]  # role -> its pods
    instruments: Sequence[Pod] = field(default=())  # pods
    mates: Mapping[Key, frozenset[Key]] = field(default_factory=dict)  # pod -> all pods that are made anew with it


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


def survey(platform: Platform, targets: Sequence[ResolvedTarget]) -> Surroundings:
    """Collect what :func:`objections` needs. Raises TargetRefused if it may not be read."""
    with api_errors("look at the targets' surroundings", TargetRefused):
        roles = platform.pods_of_roles()
        node_names = {target.node for target in targets if target.kind in {"Node", "Device"} and target.node}
        pods_on = pods_at_work_on(platform, {target.name for target in targets if target.kind == "Node"})
        pods = _targeted(platform, targets, [pod for those in roles.values() for pod in those])
        names = sorted({*_namespaces_of(targets), *(pod.metadata.namespace for on in pods_on.values() for pod in on)})
        with ThreadPoolExecutor(PARALLEL) as pool:
            labels = dict(zip(names, pool.map(lambda name: _labels(platform, name), names), strict=True))
        return Surroundings(
            namespaces=labels,
            nodes={node.metadata.name: node for node in labels_of_nodes(platform, node_names)},
            pods=pods,
            pods_on=pods_on,
            roles=roles,
            instruments=instrument_pods(platform),
            mates=mates_of(platform, [pod for those in roles.values() for pod in those]),
        )


def _targeted(platform: Platform, targets: Iterable[ResolvedTarget], at_hand: Iterable[Pod]) -> dict[Key, Pod]:
    """Return the targeted pods that are there; those that are no role's are read by name."""
    known, found = {_key(pod): pod for pod in at_hand}, dict[Key, Pod]()
    for name in sorted(_direct(targets)):
        pod = known.get(name) or unless_gone(partial(platform.pod, name[1], name[0]))
        if pod is not None:
            found[name] = pod
    return found


def objections(target: Target, targets: Sequence[ResolvedTarget], around: Surroundings, allow: Allow) -> list[str]:
    """Return every reason why ``targets`` must not be touched, as sentences; empty if they may be."""
    against: list[str] = [] if targets else ["no target was resolved; a fault that touches nothing proves nothing"]
    for hit in targets:
        if hit.kind == "Pod":
            against += _against_pod(target, hit, around)
        else:
            against += _against_node(target, hit, around)
    return against + _against_extent(target, targets, around) + _against_roles(target, targets, around, allow)


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
        return [f"{what} is in namespace {namespace}, {UNCONSENTED}: kubectl label namespace {namespace} {target.consent_label}"]
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


def _suffers(pod: Named) -> bool:
    """Tell whether a pod at work suffers from the loss of its node: its owner is no DaemonSet."""
    return not any(owner.kind == "DaemonSet" for owner in pod.metadata.owner_references or [])


def is_device_plugin(pod: Pod) -> bool:
    """Tell whether a V1Pod is a device plugin: it mounts the folder in which device plugins meet the kubelet."""
    paths = [volume.host_path.path for volume in pod.spec.volumes or [] if volume.host_path]
    return any(path.rstrip("/") == DEVICE_PLUGINS for path in paths)


def _against_extent(target: Target, targets: Sequence[ResolvedTarget], around: Surroundings) -> list[str]:
    direct = _direct(_together(targets))
    pods, nodes = len(with_mates(direct, around.mates)), len({t.node for t in targets if t.kind != "Pod"})
    grouped = f", since a pod's whole group is made anew with it ({len(direct)} pods in {pods})" if pods > len(direct) else ""
    over = [f"{pods} pods would be touched, limits.pods is {target.limits.pods}{grouped}"] if pods > target.limits.pods else []
    return over + ([f"{nodes} nodes would be touched, limits.nodes is {target.limits.nodes}"] if nodes > target.limits.nodes else [])


def _together(targets: Iterable[ResolvedTarget]) -> list[ResolvedTarget]:
    """Return as many of ``targets`` as are touched at the same time: of those that are replaced in turn, so many as may be missing."""
    there = list(targets)
    in_turn = [target for target in there if target.missing_at_once is not None]
    most = max((target.missing_at_once or 0 for target in in_turn), default=0)
    return [target for target in there if target.missing_at_once is None] + in_turn[:most]


def _direct(targets: Iterable[ResolvedTarget]) -> set[Key]:
    return {(target.namespace or "", target.name) for target in targets if target.kind == "Pod"}


def _against_roles(target: Target, targets: Sequence[ResolvedTarget], around: Surroundings, allow: Allow) -> list[str]:
    against, single = [], single_points(target, targets, around)
    for role, (up, hit) in _hit_of_roles(targets, around).items():
        if hit and len(hit) == len(up):
            if not allow.last_replica:
                lost = f"role {role} would lose its last ready replica ({_names(hit)}); {ALLOWED_BY}"
                against.append(single.get(role, lost))
        elif hit and len(hit) > target.limits.share_of_role * len(up) and not allow.share_of_role:
            share = target.limits.share_of_role
            against.append(f"role {role} would lose {len(hit)} of {len(up)} ready replicas, limits.share_of_role is {share:.0%}")
    return against


def single_points(target: Target, targets: Sequence[ResolvedTarget], around: Surroundings) -> dict[str, str]:
    """Return the roles that one thing alone would take away: role -> a sentence, with how long nobody would serve, estimated. Pure.

    That is a role with one ready replica, or one whose ready replicas all stand on one node or in one zone.
    """
    found = {}
    for role, (up, hit) in _hit_of_roles(targets, around).items():
        what = _single(target, targets, up, around) if hit and len(hit) == len(up) else ""
        if what:
            lasts = f"nobody would serve meanwhile, {_meanwhile(targets, up)}"
            why = f"not tested, because role {role} would lose its last ready replica and {lasts}"
            found[role] = (
                f"role {role} is a single point of failure ({what}): {why}; {ALLOWED_BY}, or run more replicas apart from each other"
            )
    return found


def _single(target: Target, targets: Sequence[ResolvedTarget], up: Sequence[Pod], around: Surroundings) -> str:
    """Return what all replicas ``up`` have in common that the targets take away, in words; empty: nothing."""
    if len(up) == 1:
        return f"its only ready replica is {_names(up)}"
    down = {one.name: one for one in targets if one.kind == "Node"}
    nodes = {pod.spec.node_name or "" for pod in up}
    if not nodes <= set(down):
        return ""
    if len(nodes) == 1:
        return f"its ready replicas {_names(up)} all stand on node {nodes.pop()}"
    labels = (around.nodes[name].metadata.labels or {} for name in nodes if name in around.nodes)
    zones = {found.get(target.regions[down[min(nodes)].region].zone_label, "") for found in labels}
    return f"its ready replicas {_names(up)} all stand in zone {zones.pop()}" if len(zones) == 1 and "" not in zones else ""


def _meanwhile(targets: Sequence[ResolvedTarget], up: Sequence[Pod]) -> str:
    """Return in words about how long it would take until a replica is back, by the platform's timers."""
    ready_s = start_s(up) + load_s(up)
    if not any(one.kind == "Node" for one in targets):
        return f"for about {ready_s:.0f} s (start and load of a replica)"
    stays_s = min(map(toleration_s, up))
    if stays_s == float("inf"):
        return "for as long as the node is away, since its pods tolerate that for ever"
    return f"for about {NODE_MONITOR_S + stays_s + ready_s:.0f} s if the node is lost (noticed, {stays_s:.0f} s tolerated, start and load)"


def _hit_of_roles(targets: Sequence[ResolvedTarget], around: Surroundings) -> dict[str, tuple[list[Pod], list[Pod]]]:
    """Return for each role its ready pods, and which of them the targets take away, with their groups."""
    down = {t.name for t in targets if t.kind == "Node"}
    on_nodes = {_key(pod) for pods in around.roles.values() for pod in pods if pod.spec.node_name in down}
    lost = with_mates(_direct(_together(targets)) | on_nodes, around.mates)
    found = {}
    for role, pods in around.roles.items():
        up = [pod for pod in pods if ready(pod)]
        found[role] = (up, [pod for pod in up if _key(pod) in lost])
    return found


def _namespaces_of(targets: Iterable[ResolvedTarget]) -> list[str]:
    return sorted({target.namespace for target in targets if target.namespace})


def _labels(platform: Platform, namespace: str) -> Mapping[str, str]:
    meta = platform.core.read_namespace(namespace).metadata
    return dict((meta and meta.labels) or {})


def _key(pod: Pod) -> Key:
    return pod.metadata.namespace, pod.metadata.name


def _names(pods: Iterable[Pod]) -> str:
    return ", ".join(sorted(pod.metadata.name for pod in pods))
