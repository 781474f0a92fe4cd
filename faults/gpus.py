"""A GPU lost: the device of one serving pod fails, for the workload and for the device plugin alike."""

from __future__ import annotations

from random import Random

from faults.nodes import node_permissions
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube import machine_drivers
from kube.client import Platform
from kube.container_exec import permissions as exec_permissions
from kube.devices import device_of, healthy, index_of
from kube.permissions import Permission
from kube.selection import choose, choose_node, pod_target, ready_pods
from safety import active_run, fault_steps
from safety.fault_spec import Arguments, Effect, KillTrial, duration_s, fault, lasts_for_s
from safety.undo import undo_all
from safety.undo_journal import UndoKind

TIMED = "the GPU driver repairs it after {for_s:g} s by itself"


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    machine_drivers.gpus(platform)
    name, for_s = arguments["role"], duration_s("lose_device", arguments["for_s"])
    node = choose_node(platform, name, rng)
    allocatable, total = healthy(node, platform.region.gpu_resource)
    if not total or allocatable < total:
        raise TargetRefused(
            f"node {node.metadata.name}: {allocatable} of {total} {platform.region.gpu_resource} are healthy; repair it before"
        )
    on_node = [pod for pod in ready_pods(platform, name) if pod.spec.node_name == node.metadata.name]
    pod = choose(on_node, 1, rng, f"pods of role {name} on {node.metadata.name}")[0]
    device = device_of(platform, pod, platform.target.role(name).container)
    index_of(device)
    ends = TIMED.format(for_s=for_s)
    lost = ResolvedTarget(
        kind="Device", name=device, uid=node.metadata.uid, node=node.metadata.name, effect=f"lost for {for_s:g} s", ends=ends
    )
    return [pod_target(pod, f"loses its device {device}", ends), lost]


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [*node_permissions(platform), *exec_permissions(namespace)]


@fault(
    resolve=_resolve,
    permissions=_permissions,
    tier="node",
    lasts_s=lasts_for_s,
    ends=TIMED,
    undo=(UndoKind.REPAIR_GPU,),
    evidence=("probes.gpus.allocatable_dropped",),
    killed=KillTrial(on="devices"),
    effect=Effect.DEVICE_LOST,
    fidelity="as good as the target's GPU driver, whose own words stand in the report",
)
def lose_device(role: str, for_s: float) -> dict[str, object]:
    """Lose the GPU of one ready pod of ``role`` for ``for_s`` seconds, as if it fell off the bus: calls fail, Kubernetes sees it sick.

    Kubernetes does not move a running pod away from a sick device; whether the server ends itself is what is tested. The target's GPU
    driver does it and repairs the device by itself; :func:`repair` does so before.

    Raises:
        TargetRefused: no live run, or no GPU driver.
        FaultFailed: the driver failed.

    """
    run, targets, _ = fault_steps.begin()
    devices = [target for target in targets if target.kind == "Device"]
    for device in devices:
        about = {"detail": index_of(device.name), "self_ends": TIMED.format(for_s=for_s)}
        run.journal.will_undo(fault_steps.entry(run, UndoKind.REPAIR_GPU, device.node or "", lasts_s=for_s, **about))
    run.fault_starts(targets)
    for device in devices:
        machine_drivers.fail_gpu(run.platform, device.node or "", index_of(device.name), for_s)
    return {"targets": [target.name for target in targets], "role": role, "for_s": for_s}


def repair() -> dict[str, object]:
    """Rollback: repair the devices that this run failed. Nothing left to undo is success. Raises UndoFailed."""
    return {"undone": undo_all(active_run.require(), {UndoKind.REPAIR_GPU})}
