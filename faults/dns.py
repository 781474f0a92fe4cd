"""DNS fails a role's pods: it does not answer them, or answers SERVFAIL. Everything else reaches them, and other pods are answered.

Mechanism: a fault pod sets rules in the pod's own network (:mod:`faults.node_agent.cut`) for what comes back from port 53: of the cluster's
DNS, of a NodeLocal DNSCache (its link-local address is its node's), of any resolver outside the pod. The questions leave the pod: a
program whose question is dropped within its own network is told so at once, which is no silence.

Not met: a resolver in the pod itself, as long as it answers from what it knows; DNS over TLS or HTTPS; a network that translates the
address of DNS within the pod, to another port than 53. Evidence says so, since names go on being answered there.

Not offered: late answers, for which the embedded cluster's kernel has no means.
"""

from __future__ import annotations

from random import Random

from faults.mechanisms import fault_pod
from faults.mechanisms.fault_pod import ENDS, by_fault_pod
from faults.network import own_network
from history.errors import ConfigError
from history.plan import ResolvedTarget
from kube import container_exec
from kube.client import Platform
from kube.permissions import Permission, in_namespace
from kube.selection import choose, pod_target
from safety.fault_spec import Arguments, duration_s

HOW = {"silent": "gets no answer from DNS", "servfail": "gets SERVFAIL from DNS"}


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role, for_s, how = arguments["role"], duration_s("fail", arguments["for_s"]), arguments.get("how", "silent")
    if how not in tuple(HOW):
        raise ConfigError(f"fail: how is {how!r}; write one of {', '.join(HOW)}")
    pods = choose(own_network(platform, role), arguments.get("count", 1), rng, f"ready pods of role {role}")
    return [pod_target(pod, f"{HOW[how]} for {for_s:g} s", ENDS.format(for_s=for_s)) for pod in pods]


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    seen = in_namespace(namespace, ("list", "pods"), ("get", "pods/proxy"))
    return [*container_exec.permissions(namespace), *seen, *fault_pod.permissions(platform)]


@by_fault_pod(
    resolve=_resolve,
    permissions=_permissions,
    evidence=("probes.network.dns_fails",),
    fidelity="the DNS servers are well; their answers are lost, or changed, in the pod's own network",
)
def fail(role: str, for_s: float, how: str = "silent", count: int = 1) -> dict[str, object]:
    """Let DNS fail ``count`` ready pods of ``role`` for ``for_s`` seconds; pods that share their node's network are refused by name.

    ``how``: ``silent``, no answer arrives, as when DNS is overloaded or its packets are lost; or ``servfail``, each answer by UDP says
    SERVFAIL, as when DNS cannot ask further, and none arrives by TCP. Connections that stand, and names that a program knows, are not met.
    The kernel forgets it after ``for_s``, so it ends by itself; :func:`faults.network.restore` ends it before.

    Raises:
        TargetRefused: no live run.
        FaultFailed: a fault pod was not admitted, did not start, or refused.

    """
    return fault_pod.inject_into_pods(role, for_s, lambda pod: ("dns-fail", "--pod", pod.metadata.uid, "--how", how), count)
