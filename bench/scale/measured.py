"""One run of the suite's own code in a process of its own, with an account of what it took and what it asked the API server for.

``python -m bench.scale.measured REQUEST`` takes what :mod:`runner.run.child` takes and does what it does; it prints the account as JSON.
A dry run is done twice and the second one counted, since the first also loads the client's classes, whatever the cluster.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from kubernetes.client.rest import RESTResponse

from kube.connection.bounded_client import BoundedClient
from runner.messages import Kind
from runner.request import Request
from runner.run.child import run_request
from runner.stop import Stop


@dataclass(slots=True)
class Account:
    """What the run took (s, bytes) and asked for; ``largest`` is the largest answer but streams of watches, ``of`` what it was of."""

    exit_code: int = 0
    said: str = ""  # why it was refused, or the verdict
    wall_s: float = 0.0
    cpu_s: float = 0.0
    load_cpu_s: float = 0.0  # of the load's process
    peak_bytes: int = 0
    requests: int = 0
    watches: int = 0
    largest_bytes: int = 0
    of: str = ""
    first_cpu_s: float = 0.0  # of the first dry run in the process
    phases: dict[str, tuple[float, float, int]] = field(
        default_factory=dict
    )  # name -> (wall s, cpu s, requests), as far as they have ended


class Counter:
    """Counts what the client sends and gets, from any thread."""

    def __init__(self) -> None:
        self.requests, self.watches, self.largest_bytes, self.of = 0, 0, 0, ""
        self._lock = threading.Lock()

    def sent(self, url: str) -> None:
        """Count a request."""
        with self._lock:
            self.requests += 1
            self.watches += "watch=True" in url or "watch=true" in url

    def got(self, size: int, path: str) -> None:
        """Count an answer."""
        with self._lock:
            if size > self.largest_bytes:
                self.largest_bytes, self.of = size, path


@contextmanager
def counting() -> Iterator[Counter]:
    """Count everything that goes through the suite's one client while the block lasts."""
    counter = Counter()
    call: Any = BoundedClient.call_api
    read: Any = BoundedClient.response_deserialize
    asked = threading.local()

    def call_api(self: BoundedClient, method: str, url: str, *rest: object, **more: object) -> object:
        asked.path = urlsplit(url).path
        counter.sent(url)
        return call(self, method, url, *rest, **more)

    def response_deserialize(self: BoundedClient, response_data: RESTResponse, response_types_map: object = None) -> object:
        counter.got(len(response_data.data or b""), asked.path)
        return read(self, response_data, response_types_map)

    with patch.object(BoundedClient, "call_api", call_api), patch.object(BoundedClient, "response_deserialize", response_deserialize):
        yield counter


class Phases:
    """Takes the run's messages; keeps how long each phase took, what it took of the processor, and how often it asked."""

    def __init__(self, counter: Counter) -> None:
        self.ended: dict[str, tuple[float, float, int]] = {}
        self.said = ""
        self._counter, self._name = counter, ""
        self._at = (0.0, 0.0, 0)

    def __call__(self, kind: str, /, **fields: object) -> None:
        """Take one message."""
        if kind == Kind.PHASE:
            self.end()
            self._name = str(fields["name"])
        if kind in {Kind.REFUSED, Kind.VERDICT}:
            self.said = str(fields.get("text") or f"{fields['verdict']}: {fields['sentence']}")

    def end(self) -> None:
        """Let the phase that is under way be over."""
        now = (time.monotonic(), time.process_time(), self._counter.requests)
        if self._name:
            self.ended[self._name] = (now[0] - self._at[0], now[1] - self._at[1], now[2] - self._at[2])
        self._at = now


def measure(request: Request) -> Account:
    """Carry out a run and return its account."""
    request.run_dir.mkdir(parents=True, exist_ok=True)
    begun_s = time.process_time()
    if request.dry_run:
        run_request(request, _silent, Stop())
    first_s = time.process_time() - begun_s
    with counting() as counter:
        phases, wall_s, cpu_s = Phases(counter), time.monotonic(), time.process_time()
        code = run_request(request, phases, Stop())
        phases.end()
        took = Account(code, phases.said, time.monotonic() - wall_s, time.process_time() - cpu_s, phases=phases.ended)
    took.load_cpu_s = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    took.peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    took.first_cpu_s = first_s
    took.requests, took.watches, took.largest_bytes, took.of = counter.requests, counter.watches, counter.largest_bytes, counter.of
    return took


def _silent(_kind: str, /, **_fields: object) -> None:
    """Say nothing."""


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Request.model_validate_json(sys.argv[1])))))
