"""Which replicas are ready: those that serve when asked. The one rule of hypothesis, capacity and the end of an observation.

Kubernetes goes on calling a pod Ready for the better part of a minute after its node fell silent. So the condition is not enough: a replica
must answer its health endpoint, or what its own readiness probe asks. Who has neither is ready by its condition while its node is heard of.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from kube.client import PARALLEL, Platform, ready, unless_forbidden, unless_gone
from kube.objects import Pod
from target.role import Role

OK, REDIRECTED = 200, 400  # what a kubelet takes for success
ANSWER_S = 1.0  # a replica that needs longer to say that it is well is not
LEASES = "kube-node-lease"
STALE_SHARE = 0.3  # the kubelet renews after a quarter of the lease's duration (10 s of 40), with a few % of jitter


class Question(NamedTuple):
    """What a replica is asked over HTTP; ``below`` is the first status that is no good answer."""

    port: int
    path: str
    below: int = REDIRECTED

    def answered(self, status: int) -> bool:
        """Tell whether ``status`` says that the replica is well (0: no answer)."""
        return OK <= status < self.below


def question_of(role: Role, pod: Pod) -> Question | None:
    """Return what a V1Pod of ``role`` is asked: its role's health endpoint, else its own readiness probe; None: neither is there."""
    if role.health is not None and role.health.port is not None and role.health.path is not None:
        return Question(role.health.port, role.health.path, OK + 1)
    return probed(pod)


def probed(pod: Pod) -> Question | None:
    """Return what the readiness probe of a V1Pod asks over HTTP; None if it asks nothing, or something else."""
    for container in pod.spec.containers:
        probe = container.readiness_probe
        if probe is None or probe.http_get is None:
            continue
        named = {port.name: port.container_port for port in container.ports or []}
        port = named.get(str(probe.http_get.port), probe.http_get.port)
        if str(port).isdecimal():
            return Question(int(port), probe.http_get.path or "/")
    return None


def serving(platform: Platform, role: str, pods: Sequence[Pod]) -> list[Pod]:
    """Return those of ``pods``, which are of ``role``, that are ready. Raises ApiException: a lease cannot be read."""
    candidates = [pod for pod in pods if ready(pod)]
    with ThreadPoolExecutor(PARALLEL) as pool:
        well = list(pool.map(lambda pod: serves(platform, role, pod), candidates))
    return [pod for pod, is_well in zip(candidates, well, strict=True) if is_well]


def serves(platform: Platform, role: str, pod: Pod) -> bool:
    """Ask a V1Pod that its condition calls Ready whether it serves; where nothing can be asked, whether its node is heard of.

    Raises ApiException: the lease of its node cannot be read.
    """
    question = question_of(platform.target.role(role), pod)
    return heard_of(platform, pod) is not False if question is None else answers(platform, pod, question)


def answers(platform: Platform, pod: Pod, question: Question) -> bool:
    """Tell whether a V1Pod answers ``question`` well within a second."""
    return question.answered(platform.proxy_get(pod, question.port, question.path, timeout_s=ANSWER_S))


def heard_of(platform: Platform, pod: Pod) -> bool | None:
    """Tell whether the node of a V1Pod is heard of; None: there is no lease, or this account may not read it. Raises ApiException."""
    node = pod.spec.node_name
    silent = None if node is None else unless_gone(lambda: unless_forbidden(lambda: overdue(platform, node), None))
    return None if silent is None else not silent


def overdue(platform: Platform, node: str) -> bool:
    """Tell whether ``node`` is silent: its kubelet has not renewed its lease. Raises ApiException: the lease cannot be read."""
    lease = platform.coordination.read_namespaced_lease(node, LEASES)
    age_s = (platform.server_time() - lease.spec.renew_time).total_seconds()
    return age_s > STALE_SHARE * lease.spec.lease_duration_seconds
