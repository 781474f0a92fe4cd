"""Evidence about networks: who can be reached, asked from outside the node."""

from __future__ import annotations

from history.errors import NoData
from history.plan import ResolvedTarget
from kube.client import api_errors
from kube.objects import Pod
from kube.proxy import first_port, reaches
from probes.targets import pod_of, targets_of
from safety import active_run

ASK_S = 2.0


def out_of_reach(activity: str) -> bool:
    """Tell whether no pod of ``activity`` answers the API server (another machine than its node) although its container runs.

    An answer of the pod itself, even an error, means that it can be reached; the API server answers 502 to 504 in its own name when it
    cannot. Raises NoData: the pod is gone, its role names no port, or the API server does not answer.
    """
    return all(not _answers(target) for target in targets_of(activity, "Pod"))


def _answers(target: ResolvedTarget) -> bool:
    platform, pod = active_run.require().platform, pod_of(target)
    answered = reaches(platform, pod, port_of(pod), ASK_S)
    with api_errors("ask the API server once more", NoData):  # so that its own silence is not taken for the pod's
        platform.pod(pod.metadata.name, pod.metadata.namespace)
    return answered


def port_of(pod: Pod) -> int:
    """Return the port at which a pod can be asked. Raises NoData: its containers name none."""
    port = first_port(pod)
    if port is None:
        raise NoData(f"pod {pod.metadata.name}: its containers name no port, so nobody can be asked; name one in its manifest")
    return port
