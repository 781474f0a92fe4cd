"""An object store that answers badly: refuses by 503, answers late, lists nothing. Its server does not know.

Mechanism: a fault pod sets a proxy before the server's port in the server's own network (:mod:`faults.node_agent.proxy`). Everybody but
the node's kubelet meets it, so Kubernetes calls the server Ready all the time. It speaks plain HTTP over IPv4: nobody else can answer TLS
that ends in the server. A store that is down is :func:`faults.pods.kill`, one that hangs :func:`faults.processes.freeze_engine`.

Not offered, and why:

- a bandwidth limit: the proxy's own came with HAProxy 2.7, the platform has 2.6; small requests feel it as a latency.
- listings that lack only some keys: the listing's text would have to be written anew, page by page.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from faults.mechanisms.fault_pod import ENDS, by_fault_pod, inject_into_pods
from faults.network import own_network, permissions
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform
from kube.objects import Pod
from kube.proxy import first_port
from kube.selection import choose, pod_target
from safety.fault_spec import Arguments, KillTrial, duration_s, whole_number

LONGEST_MS = 60_000
_by_proxy = partial(
    by_fault_pod, permissions=permissions, fidelity="a proxy answers in the place of the server, which is well and would say so"
)


def _resolving(name: str, effect: Callable[[Arguments], str]) -> Callable[[Platform, Arguments, Random], list[ResolvedTarget]]:
    """Return the resolution of the fault ``name``, which describes by its arguments what a server does."""

    def resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
        role, for_s, does = arguments["role"], duration_s(name, arguments["for_s"]), effect(arguments)
        pods = choose(own_network(platform, role), arguments.get("count", 1), rng, f"ready pods of role {role}")
        without = [pod.metadata.name for pod in pods if first_port(pod) is None]
        if without:
            raise TargetRefused(f"role {role}: the containers of {', '.join(without)} name no port; name the server's in their manifest")
        return [pod_target(pod, f"{does} for {for_s:g} s", ENDS.format(for_s=for_s)) for pod in pods]

    return resolve


def _refuses(arguments: Arguments) -> str:
    return f"answers {whole_number('refuse_requests', 'percent', arguments['percent'], 100)} % of requests 503 SlowDown"


def _delays(arguments: Arguments) -> str:
    return f"answers every request {whole_number('delay_requests', 'latency_ms', arguments['latency_ms'], LONGEST_MS)} ms late"


@_by_proxy(
    resolve=_resolving("refuse_requests", _refuses),
    evidence=("probes.object_store.refusing",),
    killed=KillTrial(arguments={"percent": 60}),
)
def refuse_requests(role: str, for_s: float, percent: int, count: int = 1) -> dict[str, object]:
    """Let ``count`` servers of ``role`` answer ``percent`` (1 to 100) of their requests 503 SlowDown, by chance, for ``for_s`` seconds.

    The body is S3's error, so clients know that they are throttled and when to try again. It ends by itself, or by
    :func:`faults.network.restore`. Raises as :func:`faults.mechanisms.fault_pod.inject_into_pods`.
    """
    return inject_into_pods(role, for_s, lambda pod: _words("refuse", pod, "--percent", percent), count)


@_by_proxy(
    resolve=_resolving("delay_requests", _delays),
    evidence=("probes.object_store.late",),
    killed=KillTrial(arguments={"latency_ms": 500}),
)
def delay_requests(role: str, for_s: float, latency_ms: int, count: int = 1) -> dict[str, object]:
    """Let ``count`` servers of ``role`` answer every request ``latency_ms`` (ms, at most 60 000) later for ``for_s`` seconds.

    It ends as :func:`refuse_requests` does. Raises as :func:`faults.mechanisms.fault_pod.inject_into_pods`.
    """
    return inject_into_pods(role, for_s, lambda pod: _words("delay", pod, "--latency-ms", latency_ms), count)


@_by_proxy(
    resolve=_resolving("hide_objects", lambda _: "lists no objects"),
    evidence=("probes.object_store.hiding",),
    killed=KillTrial(arguments={"bucket": "any"}),
)
def hide_objects(role: str, for_s: float, count: int = 1) -> dict[str, object]:
    """Let ``count`` servers of ``role`` answer ListObjectsV2 with an empty list for ``for_s`` seconds: a stale listing.

    Objects that are asked for by name are there. It ends as :func:`refuse_requests` does.
    Raises as :func:`faults.mechanisms.fault_pod.inject_into_pods`.
    """
    return inject_into_pods(role, for_s, lambda pod: _words("hide", pod), count)


def _words(command: str, pod: Pod, *more: object) -> tuple[str, ...]:
    return (command, "--pod", pod.metadata.uid, "--port", str(first_port(pod)), *map(str, more))
