"""Whether an undo has become true.

A machine that was switched on boots for a while. Until its kubelet speaks, Kubernetes shows the state from before the power cut: node
Ready, pods Ready. Proving a platform healthy must look past that. A fault pod that was deleted is gone only when its kubelet says that its
program has ended; a chaos object, when its controller has let it go and its pod answers. Controllers that were stopped are back when they
renew their Leases, whose old renewals look fresh for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from kube import control_plane
from kube.client import Platform, unless_gone
from kube.objects import Pod
from safety import chaos
from safety.undo_journal import Undo, UndoKind

DYING = timedelta(seconds=5)  # a last renewal may fall between the journal's entry and the power cut
SYNCED = timedelta(seconds=6)  # a kubelet that last renewed its lease so long ago has looked at its pods: old ones were never cut off


def power_cut_detail(platform: Platform) -> str:
    """Return what a journal entry of kind POWER_ON keeps: now, on the API server's clock."""
    return platform.server_time().isoformat()


def unconfirmed_undos(platform: Platform, entries: Sequence[Undo]) -> list[str]:
    """Return what still shows the state from before a power cut, and the fault pods and chaos objects that are still there, as sentences.

    Of a control plane that was stopped: the controllers that are not at work again.

    A machine that was never without power (its driver did nothing) settles within a renewal of its lease (10 s).

    Raises:
        ApiException: the API server does not answer.
        UndoFailed: an entry cannot be read.

    """
    cuts = {undo.object: datetime.fromisoformat(undo.detail) for undo in entries if undo.kind is UndoKind.POWER_ON and undo.detail}
    stale = [sentence for node, cut in sorted(cuts.items()) for sentence in _stale(platform, node, cut)]
    pods = sorted({(undo.namespace or "", undo.object) for undo in entries if undo.kind is UndoKind.DELETE_POD})
    return (
        stale
        + _idle_controllers(platform, entries)
        + [
            f"fault pod {name}: its kubelet has not said that it ended"
            for namespace, name in pods
            if unless_gone(partial(platform.pod, name, namespace)) is not None
        ]
        + chaos.unconfirmed(platform, entries)
    )


def _idle_controllers(platform: Platform, entries: Sequence[Undo]) -> list[str]:
    """Return which controllers have not renewed their Lease since the API server, or they themselves, were stopped."""
    stops = [datetime.fromisoformat(undo.detail) for undo in entries if undo.kind is UndoKind.START_CONTROL_PLANE]
    if not stops:
        return []
    return [
        f"{lease.metadata.name}: it has not renewed its Lease in {control_plane.NAMESPACE} since the control plane was stopped"
        for lease in control_plane.leader_leases(platform)
        if not control_plane.renewed_since(lease, max(stops) + DYING)
    ]


def _stale(platform: Platform, node: str, cut: datetime) -> list[str]:
    lease = platform.coordination.read_namespaced_lease(node, "kube-node-lease")
    renewed = lease.spec.renew_time
    if renewed is None or renewed < cut + DYING:
        return [f"node {node}: its kubelet has not spoken since its power was cut"]
    if platform.server_time() - renewed > SYNCED:
        return []
    return [
        f"pod {pod.metadata.namespace}/{pod.metadata.name}: still shown as before the power cut"
        for pod in platform.all_pods(node)
        if _is_old(pod, cut)
    ]


def _is_old(pod: Pod, cut: datetime) -> bool:
    """Tell whether a pod is shown with a container that was started before the power was cut and still runs, which cannot be."""
    states = [status.state.running for status in pod.status.container_statuses or [] if status.state]
    whole = cut.astimezone(UTC).replace(microsecond=0)  # Kubernetes writes whole seconds
    return any(running and running.started_at and running.started_at < whole for running in states)
