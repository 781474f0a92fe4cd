"""Evidence about networks: who can be reached, asked from outside the node."""

from __future__ import annotations

from history.errors import NoData
from kube import live
from kube.clients import told
from kube.objects import Pod
from kube.select import read_target
from probes.pods import pods_of

ASK_S = 2.0
NOT_THE_POD = {0, 502, 503, 504}  # no answer in time, or the API server's own


def out_of_reach(activity: str) -> bool:
    """Tell whether no pod of ``activity`` answers the API server (another machine than its node) although its container runs.

    An answer of the pod itself, even an error, means that it can be reached; the API server answers 502 to 504 in its own name when it
    cannot. Raises NoData: the pod is gone, its role names no port, or the API server does not answer.
    """
    return all(not _answers(target.name, target.namespace or "", activity) for target in pods_of(activity))


def _answers(name: str, namespace: str, activity: str) -> bool:
    run = live.require()
    target = next(one for one in run.targets_of(activity) if one.name == name)
    with told(f"look at pod {namespace}/{name}", NoData):
        pod: Pod = read_target(run.platform, target)
    if pod is None:
        raise NoData(f"pod {namespace}/{name}: it is gone, so nobody can say whether it can be reached; who deleted it?")
    status = run.platform.proxy_get(pod, _port(pod), "/", ASK_S)
    with told("ask the API server once more", NoData):  # so that its own silence is not taken for the pod's
        run.platform.core.read_namespaced_pod(name, namespace)
    return status not in NOT_THE_POD


def _port(pod: Pod) -> int:
    ports = [port.container_port for container in pod.spec.containers for port in container.ports or []]
    if not ports:
        raise NoData(f"pod {pod.metadata.name}: its containers name no port, so nobody can be asked; name one in its manifest")
    return int(ports[0])
