"""Metrics for a tracking server, off the training path: training never waits for it, and what it does not take is counted, not raised.

The server is MLflow, spoken to by its REST call ``runs/log-batch``; its own client would bring a web framework and a retry of minutes.
"""

import queue
import threading
import time
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import requests

from workloads.training.errors import SettingsRefused

_QUEUE = 1000  # entries that wait for a server that is down
_TIMEOUT_S = 2.0
_LONGEST_PAUSE_S = 5.0  # so that a server that is back has everything soon
_INLINE_TIMEOUT_S, _INLINE_TRIES = 120.0, 5  # what MLflow's client does by default


class Tracker(Protocol):
    """Takes metrics."""

    @property
    def dropped(self) -> int:
        """Entries that were given up."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take the metrics of a step."""

    def close(self) -> None:
        """Try for a moment to get rid of what is left."""


class NoTracker:
    """Tracking is not wanted."""

    dropped = 0

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take nothing."""

    def close(self) -> None:
        """Do nothing."""


class Mlflow:
    """One run on an MLflow server; raises requests.RequestException when it does not take the metrics."""

    def __init__(self, server: str, run_id: str) -> None:
        self._url, self._run_id = f"{server}/api/2.0/mlflow/runs/log-batch", run_id

    def send(self, step: int, metrics: Mapping[str, float], timeout_s: float) -> None:
        """Log the metrics of a step."""
        now_ms = time.time_ns() // 1_000_000
        rows = [{"key": key, "value": value, "timestamp": now_ms, "step": step} for key, value in metrics.items()]
        answer = requests.post(self._url, json={"run_id": self._run_id, "metrics": rows}, timeout=timeout_s)
        answer.raise_for_status()


class QueueTracker:
    """Metrics go through a queue to a thread; a full queue drops the newest."""

    def __init__(self, server: Mlflow) -> None:
        self.dropped = 0
        self._server = server
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
                return

    def _send(self, step: int, metrics: Mapping[str, float]) -> bool:
        pause_s = 1.0
        while True:
            try:
                self._server.send(step, metrics, _TIMEOUT_S)
            except requests.RequestException:
                if self._closing.wait(pause_s):
                    return False
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                return True


class InlineTracker:
    """A weakness to test with: the call stands in the step, waits as long as MLflow's client would, and its failure ends training."""

    dropped = 0

    def __init__(self, server: Mlflow) -> None:
        self._server = server

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

    def close(self) -> None:
        """Do nothing: nothing waits."""


def open_tracker(address: str, *, inline: bool) -> Tracker:
    """Return the tracker for ``http://host:port/RUN_ID`` (empty: none); raises SettingsRefused for another address."""
    if not address:
        return NoTracker()
    parts = urlsplit(address)
    run_id = parts.path.strip("/")
    if parts.scheme not in ("http", "https") or not parts.netloc or not run_id or "/" in run_id:
        raise SettingsRefused(f"TRAIN_TRACKING={address!r}: expected http://host:port/RUN_ID")
    server = Mlflow(f"{parts.scheme}://{parts.netloc}", run_id)
    return InlineTracker(server) if inline else QueueTracker(server)
