"""Which replicas are ready: those that serve when asked. The one rule of hypothesis, capacity and the end of an observation.

Kubernetes goes on calling a pod Ready for the better part of a minute after its node fell silent. So the condition is not enough: a replica
must answer its health endpoint, or what its own readiness probes ask, through a way that is proven (:mod:`kube.health.choice`). Of whom
nothing can be asked is ready by its condition while its node is heard of.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from kube.client import PARALLEL, Platform, ready, unless_forbidden, unless_gone
from kube.health.answer import Answer
from kube.health.asking import ask, way_of, ways_of
from kube.health.questions import Question, questions_of
from kube.health.ways import Way
from kube.objects import Pod

LEASES = "kube-node-lease"
STALE_SHARE = 0.3  # the kubelet renews after a quarter of the lease's duration (10 s of 40), with a few % of jitter


class Asking(NamedTuple):
    """A question that can be asked, and through what."""

    question: Question
    way: Way


def askings_of(platform: Platform, role: str, pod: Pod) -> tuple[Asking, ...]:
    """Return what a V1Pod of ``role`` is asked; empty: nothing can be, so its condition counts while its node is heard of."""
    ways = ways_of(platform, role)
    asked = [(question, way_of(question, ways)) for question in questions_of(platform.target.role(role), pod)]
    return tuple(Asking(question, way) for question, way in asked if way is not None)


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
    asked = askings_of(platform, role, pod)
    return all(answer.well for answer in answers(platform, pod, asked)) if asked else heard_of(platform, pod) is not False


def answers(platform: Platform, pod: Pod, asked: Sequence[Asking]) -> list[Answer]:
    """Return what a V1Pod answers, question by question, until one answer is not good: the last is what it is about."""
    found: list[Answer] = []
    for question, way in asked:
        found.append(ask(platform, pod, question, way))
        if not found[-1].well:
            break
    return found


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
