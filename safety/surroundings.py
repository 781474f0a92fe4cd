"""What must be known of a platform before its targets may be touched: their pods, nodes, namespaces and roles, as they stand now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import PARALLEL, Platform, api_errors, unless_gone
from kube.controllers.groups import Key, mates_of
from kube.lists.nodes import labels_of_nodes, pods_at_work_on
from kube.objects import Named, Pod
from kube.selection import instrument_pods


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


def survey(platform: Platform, targets: Sequence[ResolvedTarget]) -> Surroundings:
    """Collect what the blast radius needs. Raises TargetRefused if it may not be read."""
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
    known, found = {key_of(pod): pod for pod in at_hand}, dict[Key, Pod]()
    for name in sorted(direct_pods(targets)):
        pod = known.get(name) or unless_gone(partial(platform.pod, name[1], name[0]))
        if pod is not None:
            found[name] = pod
    return found


def direct_pods(targets: Iterable[ResolvedTarget]) -> set[Key]:
    """Return the pods that are targets themselves."""
    return {(target.namespace or "", target.name) for target in targets if target.kind == "Pod"}


def _namespaces_of(targets: Iterable[ResolvedTarget]) -> list[str]:
    return sorted({target.namespace for target in targets if target.namespace})


def _labels(platform: Platform, namespace: str) -> Mapping[str, str]:
    meta = platform.core.read_namespace(namespace).metadata
    return dict((meta and meta.labels) or {})


def key_of(pod: Pod) -> Key:
    """Return namespace and name."""
    return pod.metadata.namespace, pod.metadata.name
