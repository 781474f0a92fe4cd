"""Memory: a container runs out of it, and the kernel kills the largest process there, as it does when an engine needs more than its limit.

Mechanism: a fault pod on its node takes the memory of the container's control group (:mod:`faults.node_agent.memory`), never more than its
limit, and gives it back once the kernel has killed. A pod of class Guaranteed is refused: of its processes the kernel kills none before the
fault pod's own. Of a pod with a high request of memory the same may hold: the fault pod looks, and refuses before it takes anything.
"""

from __future__ import annotations

from random import Random

from faults.cpu import running_container
from faults.mechanisms import fault_pod
from faults.mechanisms.fault_pod import by_fault_pod
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform
from kube.containers import main_container
from kube.objects import Pod
from kube.permissions import Permission, in_namespace
from kube.selection import choose_pods, pod_target
from safety import active_run
from safety.fault_spec import Arguments, KillTrial, duration_s

ENDS = "the memory is given back when the kernel has killed, after {for_s:g} s at the latest, and with the fault pod's program"


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role, for_s = arguments["role"], duration_s("exhaust", arguments["for_s"])
    [pod] = choose_pods(platform, role, 1, rng)
    running_container(platform, role, pod)  # refuses here what could not work later
    _demand_limit(platform, role, pod)
    effect = "its memory is taken until the kernel kills its largest process"
    return [pod_target(pod, effect, ENDS.format(for_s=for_s))]


def _demand_limit(platform: Platform, role: str, pod: Pod) -> None:
    container = main_container(pod, platform.target.role(role).container)
    limits = container.resources.limits if container.resources else None
    if "memory" not in (limits or {}):
        said = f"role {role}: container {container.name} has no limit of memory, so a leak takes that of its node"
        raise TargetRefused(f"{said}; set resources.limits.memory", (f"{said}; not tested",))
    if pod.status.qos_class == "Guaranteed":
        raise TargetRefused(f"pod {pod.metadata.name} is of class Guaranteed: the kernel would kill the fault pod's process before its own")


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    asked = in_namespace(platform.target.role(arguments["role"]).namespace, ("get", "pods"), ("list", "pods"))
    return [*asked, *fault_pod.permissions(platform)]


@by_fault_pod(
    resolve=_resolve,
    permissions=_permissions,
    ends=ENDS,
    evidence=("probes.memory.out_of_memory",),
    killed=KillTrial(left_out="it is over in a moment, and a container with a limit of memory is needed"),
)
def exhaust(role: str, for_s: float) -> dict[str, object]:
    """Take the memory of one ready pod of ``role``, within its limit, until the kernel kills there; for at most ``for_s`` seconds.

    An engine whose cache grows, or a batch that is too large, looks like this. The kernel chooses the process that has most, or, where the
    whole control group is killed at once (version 2, by default since Kubernetes 1.28), all of them.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the fault pod was not admitted, did not start, or refused: the container has no limit of memory, or the kernel
            would kill the fault pod's process before the container's.

    """
    platform = active_run.require().platform

    def words(pod: Pod) -> tuple[str, ...]:
        return ("memory-eat", "--pod", pod.metadata.uid, "--container", running_container(platform, role, pod))

    return fault_pod.inject_into_pods(role, for_s, words)
