"""Evidence about an object store that answers badly: asked through the API server, from another machine than the fault pod's.

The questions carry no credentials: a store refuses them (403), and what stands before it answers first.
"""

from __future__ import annotations

from http import HTTPStatus

from kube.proxy import MAYBE_OWN, Answer, ask_pod
from probes.network import port_of
from probes.targets import pod_of
from safety import active_run

ASKS = 20  # a share of 20 % is missed once in a hundred times
LATE = 10  # a busy machine is late now and then, not ten times in a row
SLOW_DOWN, NOTHING_FOUND = b"<Code>SlowDown</Code>", b"<KeyCount>0</KeyCount>"


def refusing(activity: str) -> bool:
    """Tell whether every server of ``activity`` answers at least one of 20 questions 503 SlowDown. Raises NoData: it cannot be asked."""
    return all(any(map(_refuses, asked)) for asked in answers(activity, ASKS))


def late(activity: str, latency_ms: float) -> bool:
    """Tell whether every server of ``activity`` needs so long for each of 10 answers (ms). Raises NoData: it cannot be asked."""
    every = [answer for asked in answers(activity, LATE) for answer in asked]
    return all(answer.status not in MAYBE_OWN and answer.seconds * 1e3 >= latency_ms for answer in every)


def hiding(activity: str, bucket: str) -> bool:
    """Tell whether every server of ``activity`` lists nothing for ``bucket``. Raises NoData: it cannot be asked."""
    listings = answers(activity, 1, bucket, {"list-type": "2"})
    return all(listing.status == HTTPStatus.OK and NOTHING_FOUND in listing.body for [listing] in listings)


def _refuses(answer: Answer) -> bool:
    return answer.status == HTTPStatus.SERVICE_UNAVAILABLE and SLOW_DOWN in answer.body  # a 503 of the API server's own has no such body


def answers(activity: str, asks: int, path: str = "/", query: dict[str, str] | None = None) -> list[list[Answer]]:
    """Return what each target of ``activity`` answers to so many questions."""
    run = active_run.require()
    pods = [pod_of(target) for target in run.targets_of(activity)]
    return [[ask_pod(run.platform, pod, port_of(pod), path, **query or {}) for _ in range(asks)] for pod in pods]
