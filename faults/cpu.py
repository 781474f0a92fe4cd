"""Processors: a replica that gets so little of one that it is slow, and neither dead nor hung.

Mechanism: a fault pod on its node lowers the CPU quota of the container's control group (:mod:`faults.node_agent.cpu`). A noisy
neighbour, a limit that is too low, or a device that throttles itself looks like this.
"""

from __future__ import annotations

from random import Random

from faults.mechanisms import fault_pod
from faults.mechanisms.fault_pod import by_fault_pod
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube import container_exec
from kube.client import Platform
from kube.containers import id_of, main_container
from kube.objects import Pod
from kube.permissions import Permission, in_namespace
from kube.selection import choose_pods, pod_target
from safety import active_run
from safety.fault_spec import Arguments, KillTrial, duration_s, whole_number

ENDS = "a watchdog on its node ends it after {for_s:g} s, whoever is left; it cannot outlive the container"


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role, for_s = arguments["role"], duration_s("starve", arguments["for_s"])
    percent = whole_number("starve", "percent", arguments["percent"], 100)
    pods = choose_pods(platform, role, arguments.get("count", 1), rng)
    for pod in pods:
        running_container(platform, role, pod)  # refuses here what could not work later
    effect = f"has at most {percent} % of a processor for {for_s:g} s"
    return [pod_target(pod, effect, ENDS.format(for_s=for_s)) for pod in pods]


def running_container(platform: Platform, role: str, pod: Pod) -> str:
    """Return the id of the container of a role as its runtime has it. Raises TargetRefused: Kubernetes names none."""
    name = main_container(pod, platform.target.role(role).container).name
    found = id_of(pod, name)
    if not found:
        raise TargetRefused(f"pod {pod.metadata.name}: Kubernetes names no id of a container {name!r}; correct container of role {role}")
    return found


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [*container_exec.permissions(namespace), *in_namespace(namespace, ("list", "pods")), *fault_pod.permissions(platform)]


@by_fault_pod(
    resolve=_resolve,
    permissions=_permissions,
    ends=ENDS,
    evidence=("probes.cpu.limited", "probes.cpu.starved"),
    killed=KillTrial(arguments={"percent": 5}),
)
def starve(role: str, for_s: float, percent: int, count: int = 1) -> dict[str, object]:
    """Let ``count`` ready pods of ``role`` have at most ``percent`` (1 to 100) of one processor for ``for_s`` seconds.

    It is the container of the role as a whole, so its health checks are answered late, too. A container that is started again has its whole
    quota. Unlike :func:`faults.processes.slow_engine` nothing is stopped, and the pod need not be replaced.

    Raises:
        TargetRefused: no live run.
        FaultFailed: a fault pod was not admitted, did not start, or refused: the container has no CPU quota, or no more than that.

    """
    platform = active_run.require().platform

    def words(pod: Pod) -> tuple[str, ...]:
        return ("cpu-limit", "--pod", pod.metadata.uid, "--container", running_container(platform, role, pod), "--percent", str(percent))

    return fault_pod.inject_into_pods(role, for_s, words, count) | {"percent": percent}
