"""Networks cut or lossy: replicas that live and are Ready to their kubelet, but out of reach, or badly in reach, for everybody else."""

from __future__ import annotations

from random import Random

from faults.mechanisms import chaos_mesh, fault_pod
from faults.mechanisms.fault_pod import ENDS, by_fault_pod
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube import container_exec
from kube.chaos_mesh.chaos import NETWORK
from kube.client import Platform, api_errors
from kube.lists.nodes import labels_of_nodes
from kube.objects import Pod
from kube.permissions import Permission, in_namespace
from kube.selection import choose, of_index, pod_target, ready_pods
from safety import active_run
from safety.fault_spec import Arguments, KillTrial, duration_s, whole_number
from safety.undo import undo_all
from safety.undo_journal import UndoKind

EVIDENCE = ("probes.network.out_of_reach",)
PARTITION = "NetworkChaos, action partition"
MOST = 99  # percent of packets that are lost: all of them is a cut


def permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    """Return what a fault in a pod's network needs, its evidence included: pods and their zones seen, pods asked, fault pods made."""
    return [*_seeing(platform, arguments), *fault_pod.permissions(platform)]


def _cutting(platform: Platform, arguments: Arguments) -> list[Permission]:
    if not chaos_mesh.used(platform):
        return permissions(platform, arguments)
    namespace = platform.target.role(arguments["role"]).namespace
    return [*_seeing(platform, arguments), *chaos_mesh.permissions(platform, NETWORK, namespace)]


def _seeing(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [*in_namespace(namespace, ("get", "pods"), ("list", "pods"), ("get", "pods/proxy")), Permission("list", "nodes")]


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role, for_s = arguments["role"], duration_s("isolate", arguments["for_s"])
    pods = own_network(platform, role)
    if (index := arguments.get("index")) is not None:
        pods = [of_index(platform, role, int(index))]
    return _targets(platform, choose(pods, arguments.get("count", 1), rng, f"ready pods of role {role}"), for_s)


def _resolve_zone(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role, for_s = arguments["role"], duration_s("isolate_zone", arguments["for_s"])
    pods = own_network(platform, role)
    with api_errors("read the role's nodes", TargetRefused):
        nodes = labels_of_nodes(platform, {pod.spec.node_name for pod in pods if pod.spec.node_name})
    zone_of = {node.metadata.name: (node.metadata.labels or {}).get(platform.region.zone_label) for node in nodes}
    zones = sorted({zone for pod in pods if (zone := zone_of.get(pod.spec.node_name or ""))})
    zone = choose(zones, 1, rng, f"zones of role {role} by label {platform.region.zone_label}")[0]
    return _targets(platform, [pod for pod in pods if zone_of.get(pod.spec.node_name or "") == zone], for_s)


def own_network(platform: Platform, role: str) -> list[Pod]:
    """Return the ready pods of ``role`` that have a network of their own. Raises TargetRefused: one shares its node's."""
    pods = ready_pods(platform, role)
    shared = [pod.metadata.name for pod in pods if pod.spec.host_network]
    if shared:
        raise TargetRefused(f"role {role}: {', '.join(shared)} share the network of their nodes; a fault there would meet the nodes")
    return pods


def _resolve_loss(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role, for_s = arguments["role"], duration_s("lose_packets", arguments["for_s"])
    percent = whole_number("lose_packets", "percent", arguments["percent"], MOST)
    pods = choose(own_network(platform, role), arguments.get("count", 1), rng, f"ready pods of role {role}")
    effect = f"loses {percent} % of its packets, but for those of its own node, for {for_s:g} s"
    return [pod_target(pod, effect, ENDS.format(for_s=for_s)) for pod in pods]


def _losing(platform: Platform, arguments: Arguments) -> list[Permission]:
    return [*permissions(platform, arguments), *container_exec.permissions(platform.target.role(arguments["role"]).namespace)]


def _targets(platform: Platform, pods: list[Pod], for_s: float) -> list[ResolvedTarget]:
    effect, ends = f"cut off from everything but its own node for {for_s:g} s", ENDS
    if chaos_mesh.used(platform):
        chaos_mesh.refuse_ipv6(pods)
        ends = chaos_mesh.ENDS
    return [pod_target(pod, effect, ends.format(for_s=for_s)) for pod in pods]


@by_fault_pod(resolve=_resolve, permissions=_cutting, evidence=EVIDENCE, chaos_mesh=PARTITION)
def isolate(role: str, for_s: float, count: int = 1, index: int | None = None) -> dict[str, object]:
    """Cut ``count`` ready pods of ``role`` off from everything but their own node for ``for_s`` seconds: packets are dropped, not refused.

    The kubelet still reaches them, so Kubernetes calls them Ready all the time and keeps sending them users. Only who checks end to end
    notices. Mechanism: a fault pod on the node sets nftables rules in the pod's own network namespace, whatever the CNI. The kernel forgets
    the rules' elements after ``for_s``, so it ends by itself; :func:`restore` ends it before. ``index``: which of an Indexed Job's pods;
    default: by the run's seed.

    Raises:
        TargetRefused: no live run.
        FaultFailed: a fault pod was not admitted, did not start, or refused; or Chaos Mesh did not act.

    """
    return _cut(role, for_s, count) | {"index": index}


@by_fault_pod(resolve=_resolve_zone, permissions=_cutting, evidence=EVIDENCE, chaos_mesh=PARTITION)
def isolate_zone(role: str, for_s: float) -> dict[str, object]:
    """Cut every ready pod of ``role`` in one zone off at once, as :func:`isolate` does (same errors)."""
    return _cut(role, for_s)


@by_fault_pod(
    resolve=_resolve_loss,
    permissions=_losing,
    evidence=("probes.network.packets_lost",),
    killed=KillTrial(arguments={"percent": 30}),
    fidelity="packets are lost in the pod's own network; a program there that sends by UDP is told so (EPERM), which no network does",
)
def lose_packets(role: str, for_s: float, percent: int, count: int = 1) -> dict[str, object]:
    """Lose ``percent`` (1 to 99) of the packets from and to ``count`` ready pods of ``role`` for ``for_s`` seconds, each by chance.

    A worn cable or an overloaded link looks like this: some requests arrive, some late, some never. Packets between a pod and its own node
    are spared, so its kubelet calls it Ready. Mechanism and end as of :func:`isolate`: nftables rules in the pod's own network namespace,
    which the kernel forgets after ``for_s``; :func:`restore` ends it before. What is dropped is a packet as the pod's kernel hands it over,
    which may be several on the wire.

    Raises:
        TargetRefused: no live run.
        FaultFailed: a fault pod was not admitted, did not start, or refused.

    """
    words = ("--percent", str(percent))
    done = fault_pod.inject_into_pods(role, for_s, lambda pod: ("packet-loss", "--pod", pod.metadata.uid, *words), count)
    return done | {"percent": percent}


def _cut(role: str, for_s: float, count: int | None = None) -> dict[str, object]:
    if chaos_mesh.used(active_run.require().platform):
        return chaos_mesh.isolate(role, for_s, count)
    return fault_pod.inject_into_pods(role, for_s, lambda pod: ("isolate", "--pod", pod.metadata.uid), count)


def restore() -> dict[str, object]:
    """Rollback: remove fault pods and chaos objects of this run, which ends what they set. Nothing left is success. Raises UndoFailed."""
    return {"undone": undo_all(active_run.require(), {UndoKind.DELETE_POD, UndoKind.DELETE_CHAOS})}
