"""More pods than replicas: who they are. A pod that is leaving, one that is stuck, one of another controller under the same label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from kube.controllers.kinds import Reference
from kube.controllers.owners import ABOVE, maker_of, owner_of
from kube.objects import Pod
from target.role import Role

STUCK = timedelta(seconds=30)  # a kubelet may be that late with a pod whose grace is over
MAKERS = ABOVE - {"Pod"} | {"StatefulSet", "DaemonSet", "CronJob"}


def surplus(name: str, role: Role, pods: Sequence[Pod], want: int, now: datetime) -> list[str]:
    """Return why role ``name`` has more pods than the ``want`` replicas that it should have, as one sentence; empty: it has not.

    Pods of another controller are named even where a replica is missing: they would be counted in its place.
    """
    there = [pod for pod in pods if pod.status.phase in {"Running", "Pending"}]
    others = list(_of_others(role, there))
    if len(there) <= want and not others:
        return []
    named = [*(_leaving(pod, now) for pod in there if pod.metadata.deletion_timestamp is not None), *others]
    return [f"role {name} has {len(there)} pods for {want} replicas: {'; '.join(named) or _whose(there)}"]


def _leaving(pod: Pod, now: datetime) -> str:
    """Say that a V1Pod is Terminating. The API server's ``deletionTimestamp`` is when its grace is over."""
    due = pod.metadata.deletion_timestamp
    if due is None or now - due <= STUCK:
        return f"{pod.metadata.name} is Terminating; wait until it is gone"
    finalizers = f"its finalizers are {', '.join(pod.metadata.finalizers)}" if pod.metadata.finalizers else "it has no finalizers"
    return (
        f"{pod.metadata.name} is stuck Terminating: it was due to be gone at {due:%Y-%m-%dT%H:%M:%SZ}, {finalizers}, its node is "
        f"{pod.spec.node_name}; see whether that node's kubelet answers, and who should remove the finalizers"
    )


def _of_others(role: Role, pods: Sequence[Pod]) -> Iterator[str]:
    """Yield the pods that the role's selector selects and its controller did not make, such as a canary's."""
    if role.controller is None:
        return
    ours, found = (role.controller.kind, role.controller.name), dict[str, list[str]]()
    for pod in pods:
        maker, owner = maker_of(pod), owner_of(pod)
        if maker is None or (_says_enough(maker, role.controller.kind) and not {maker[1:], owner and owner[1:]} & {ours}):
            found.setdefault("nobody" if maker is None else str(maker), []).append(pod.metadata.name)
    for whose, names in found.items():
        yield (
            f"{', '.join(names)} is of {whose}, not of {' '.join(ours)}: the selector {role.selector} selects both; narrow it in the "
            "target file, or leave controller out there, and all who own its pods count"
        )


def _says_enough(maker: Reference, kind: str) -> bool:
    """Tell whether a maker's kind shows that it is not behind a controller of ``kind``: an unknown kind may own anything."""
    return maker.kind == kind or (kind in MAKERS and maker.kind in MAKERS)


def _whose(pods: Sequence[Pod]) -> str:
    found: dict[str, list[str]] = {}
    for pod in pods:
        found.setdefault(str(maker_of(pod) or "nobody"), []).append(pod.metadata.name)
    of = "; ".join(f"{', '.join(names)} of {whose}" for whose, names in found.items()) if len(found) > 1 else ""
    return f"something is being replaced{f' ({of})' if of else ''}"
