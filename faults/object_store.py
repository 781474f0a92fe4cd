"""An object store that answers badly: refuses by 503, answers late, lists nothing. Its server does not know.

Mechanism: a fault pod sets a proxy before the server's port in the server's own network (:mod:`faults.node_agent.proxy`), where everybody
but the
node's kubelet meets it, so Kubernetes calls the server Ready all the time. It speaks plain HTTP over IPv4 (TLS that ends in the server
itself cannot be answered by somebody else). A store that is down is :func:`faults.pods.kill`, one that hangs
:func:`faults.processes.freeze_engine`.

Not offered, and why: a bandwidth limit (the proxy's own came with HAProxy 2.7, the platform has 2.6; a latency is what small requests
feel of it), and listings that lack only some keys (the listing's text would have to be written anew, page by page).
"""

from __future__ import annotations

from random import Random

from faults.mechanisms.fault_pod import ENDS, beside
from faults.network import own_network, permissions
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform
from kube.objects import Pod
from kube.proxy import first_port
from kube.selection import choose, pod_target
from safety.fault_spec import Arguments, duration_s, fault, lasts_for_s, whole_number

LONGEST_MS = 60_000


def _targets(platform: Platform, arguments: Arguments, rng: Random, effect: str) -> list[ResolvedTarget]:
    role, for_s = arguments["role"], duration_s("object store", arguments["for_s"])
    pods = choose(own_network(platform, role), arguments.get("count", 1), rng, f"ready pods of role {role}")
    without = [pod.metadata.name for pod in pods if first_port(pod) is None]
    if without:
        raise TargetRefused(f"role {role}: the containers of {', '.join(without)} name no port; name the server's in their manifest")
    return [pod_target(pod, f"{effect} for {for_s:g} s", ENDS.format(for_s=for_s)) for pod in pods]


def _resolve_refusal(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    percent = whole_number("refuse_requests", "percent", arguments["percent"], 100)
    return _targets(platform, arguments, rng, f"answers {percent} % of requests 503 SlowDown")


def _resolve_delay(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    latency_ms = whole_number("delay_requests", "latency_ms", arguments["latency_ms"], LONGEST_MS)
    return _targets(platform, arguments, rng, f"answers every request {latency_ms} ms late")


def _resolve_hiding(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    return _targets(platform, arguments, rng, "lists no objects")


@fault(resolve=_resolve_refusal, permissions=permissions, tier="node", lasts_s=lasts_for_s)
def refuse_requests(role: str, for_s: float, percent: int, count: int = 1) -> dict[str, object]:
    """Let ``count`` servers of ``role`` answer ``percent`` of their requests 503 SlowDown, by chance, for ``for_s`` seconds: a storm.

    The body is S3's error, so clients know that they are throttled and when to try again.
    Raises as :func:`faults.mechanisms.fault_pod.beside`.
    """
    return beside(role, for_s, lambda pod: _words("refuse", pod, "--percent", percent), count)


@fault(resolve=_resolve_delay, permissions=permissions, tier="node", lasts_s=lasts_for_s)
def delay_requests(role: str, for_s: float, latency_ms: int, count: int = 1) -> dict[str, object]:
    """Let ``count`` servers of ``role`` answer every request ``latency_ms`` later for ``for_s`` seconds: slow or throttled.

    Raises as :func:`faults.mechanisms.fault_pod.beside`.
    """
    return beside(role, for_s, lambda pod: _words("delay", pod, "--latency-ms", latency_ms), count)


@fault(resolve=_resolve_hiding, permissions=permissions, tier="node", lasts_s=lasts_for_s)
def hide_objects(role: str, for_s: float, count: int = 1) -> dict[str, object]:
    """Let ``count`` servers of ``role`` answer ListObjectsV2 with an empty list for ``for_s`` seconds: a stale listing.

    Objects that are asked for by name are there. Raises as :func:`faults.mechanisms.fault_pod.beside`.
    """
    return beside(role, for_s, lambda pod: _words("hide", pod), count)


def _words(command: str, pod: Pod, *more: object) -> tuple[str, ...]:
    return (command, "--pod", pod.metadata.uid, "--port", str(first_port(pod)), *map(str, more))
