"""Metrics for a tracking server, off the training path: training never waits for it, and what it does not take is counted, not raised.

The server is MLflow, asked by its REST API (https://mlflow.org/docs/latest/rest-api.html). MLflow's own client costs a rank 140 MB and 1.4
to 1.8 s of import (measured with 3.17 on 2 cores, after torch).
"""

import math
import queue
import re
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests

from workloads.training.errors import SettingsRefused

_QUEUE = 1000  # entries that wait for a server that is down
_TIMEOUT_S = 2.0
_LONGEST_PAUSE_S = 5.0  # so that a server that is back has everything soon
_EXPERIMENT = "0"  # the one that every MLflow server has
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_INLINE_TIMEOUT_S, _INLINE_TRIES = 120.0, 5  # what MLflow's client does by default


class Mlflow:
    """One run on an MLflow server, found by its name or created; raises requests.RequestException when the server does not do it."""

    def __init__(self, server: str, name: str) -> None:
        self._api, self._name = f"{server}/api/2.0/mlflow", name
        self.run_id = ""

    def send(self, step: int, metrics: Mapping[str, float], timeout_s: float) -> None:
        """Log the metrics of a step."""
        now_ms = time.time_ns() // 1_000_000
        self.run_id = self.run_id or self._found(timeout_s) or self._created(now_ms, timeout_s)
        rows = [{"key": key, "value": _json_number(value), "timestamp": now_ms, "step": step} for key, value in metrics.items()]
        self._ask("runs/log-batch", timeout_s, run_id=self.run_id, metrics=rows)

    def _found(self, timeout_s: float) -> str:
        """Return the id of the run if an earlier attempt of the job made it."""
        named = f"attributes.run_name = '{self._name}'"
        runs = self._ask("runs/search", timeout_s, experiment_ids=[_EXPERIMENT], filter=named, max_results=1).get("runs", [])
        return str(runs[0]["info"]["run_id"]) if runs else ""

    def _created(self, now_ms: int, timeout_s: float) -> str:
        made = self._ask("runs/create", timeout_s, experiment_id=_EXPERIMENT, run_name=self._name, start_time=now_ms)
        return str(made["run"]["info"]["run_id"])

    def _ask(self, call: str, timeout_s: float, **body: object) -> Any:  # noqa: ANN401  JSON
        answer = requests.post(f"{self._api}/{call}", json=body, timeout=timeout_s)
        answer.raise_for_status()
        return answer.json()


class Tracker:
    """Takes metrics; this one drops them, for a run without tracking. ``dropped``: entries that were given up."""

    dropped = 0

    @property
    def run_id(self) -> str:
        """The server's own name for the run; empty until it has taken something."""
        return ""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take the metrics of a step."""

    def close(self) -> None:
        """Try for a moment to get rid of what is left."""


class _ServerTracker(Tracker):
    def __init__(self, server: Mlflow) -> None:
        self._server = server

    @property
    def run_id(self) -> str:
        return self._server.run_id


def _json_number(value: float) -> float | str:
    """Return a number as protobuf's JSON writes it, which has names for what JSON itself cannot hold."""
    return value if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]


def _refused(error: requests.RequestException) -> bool:
    """Tell whether the server said that it will never take this, so that trying again is no use."""
    status = error.response.status_code if error.response is not None else 0
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _LATER


class QueueTracker(_ServerTracker):
    """Metrics go through a queue to a thread; a full queue drops the newest, and what the server refuses is dropped."""

    def __init__(self, server: Mlflow) -> None:
        super().__init__(server)
        self._queue: queue.Queue[tuple[int, Mapping[str, float]]] = queue.Queue(_QUEUE)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._send_all, name="tracking", daemon=True)
        self._thread.start()

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Queue the metrics, or count them as dropped."""
        try:
            self._queue.put_nowait((step, metrics))
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Give the thread one more timeout."""
        self._closing.set()
        self._thread.join(_TIMEOUT_S + 0.5)
        self.dropped += self._queue.qsize()

    def _send_all(self) -> None:
        while not (self._closing.is_set() and self._queue.empty()):
            try:
                entry = self._queue.get(timeout=0.1)
            except queue.Empty:
                continue
            if not self._send(*entry):
                self.dropped += 1
                if self._closing.is_set():
                    return

    def _send(self, step: int, metrics: Mapping[str, float]) -> bool:
        pause_s = 1.0
        while True:
            try:
                self._server.send(step, metrics, _TIMEOUT_S)
            except requests.RequestException as error:
                if _refused(error) or self._closing.wait(pause_s):
                    return False
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                return True


class InlineTracker(_ServerTracker):
    """A weakness to test with: the call stands in the step, waits as long as MLflow's client would, and its failure ends training."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Send now; raises requests.RequestException after the last try."""
        for attempt in range(_INLINE_TRIES):
            try:
                return self._server.send(step, metrics, _INLINE_TIMEOUT_S)
            except requests.RequestException:
                if attempt == _INLINE_TRIES - 1:
                    raise
                time.sleep(2**attempt)
        return None


def open_tracker(address: str, *, inline: bool) -> Tracker:
    """Return the tracker for ``http://host:port/RUN`` (empty: none); raises SettingsRefused for another address."""
    if not address:
        return Tracker()
    parts = urlsplit(address)
    name = parts.path.removeprefix("/")
    if parts.scheme not in ("http", "https") or not parts.netloc or not _NAME.fullmatch(name):
        raise SettingsRefused(f"TRAIN_TRACKING={address!r}: expected http://host:port/RUN")
    server = Mlflow(f"{parts.scheme}://{parts.netloc}", name)
    return InlineTracker(server) if inline else QueueTracker(server)
