"""Listens for Alertmanager's notifications while a run goes on: a row for each alert of a judged rule, as it comes.

The payload is version 4 of https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. What else comes is bounded: in size,
in time, in how much of it is recorded. None of it ends the run; the check ``alerts`` says what could not be read.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from history.alert_plan import AlertPlan
from history.clock import now_ns
from history.schema import Notice
from runner.event_log import RunLog
from target.alerts import Receiver
from target.region import Region

LARGEST_BYTES = 4 << 20  # of one notification: about 4000 alerts
READ_S = 5.0  # a client that is silent for so long is given up
AT_ONCE = 16  # connections; Alertmanager tries again what is refused
MOST_ROWS = 20_000  # of alerts, in one run
UNREAD_EVERY_S = 1.0  # what could not be read is recorded so often at most
POLL_S = 0.1  # how often it looks whether it shall end
LONGEST = 300  # characters of a text
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)  # what the record can hold
Labels = dict[str, str]


class _Alert(BaseModel):
    status: Literal["firing", "resolved"]
    labels: Labels
    startsAt: AwareDatetime = Field(ge=EARLIEST, le=LATEST)  # noqa: N815 - as the payload spells it


class Payload(BaseModel):
    """What Alertmanager sends, as far as it is used."""

    version: Literal["4"]
    alerts: tuple[_Alert, ...]
    truncatedAlerts: int = Field(default=0, ge=0)  # noqa: N815


class Recorder:
    """Writes what came: alerts of judged rules, without those of another cluster (a label with another value), and what was not read."""

    def __init__(self, rules: Collection[AlertPlan], labels: Mapping[str, str], log: RunLog) -> None:
        self._judged, self._labels, self._log = {rule.rule for rule in rules}, labels, log
        self._lock = threading.Lock()
        self._rows, self._next_s = 0, 0.0

    def took(self, body: bytes, t_ns: int) -> bool:
        """Record a notification that came at ``t_ns`` (ns); return whether it is one."""
        try:
            payload = Payload.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            self.unread(f"no notification of Alertmanager, version 4: {'.'.join(map(str, first['loc'])) or 'the body'}: {first['msg']}")
            return False
        for alert in payload.alerts:
            self._alert(alert, t_ns)
        if payload.truncatedAlerts:
            self.unread(f"a notification without {payload.truncatedAlerts} of its alerts; leave max_alerts out of its webhook_config")
        return True

    def unread(self, text: str) -> None:
        """Record that something came that was not understood; of several within a second the first alone."""
        with self._lock:
            now_s = time.monotonic()
            if now_s >= self._next_s:
                self._next_s = now_s + UNREAD_EVERY_S
                self._log.notification(Notice.UNREAD, detail={"text": text[:LONGEST]})

    def _alert(self, alert: _Alert, t_ns: int) -> None:
        name = alert.labels.get("alertname", "")
        if name not in self._judged or any(alert.labels.get(key, value) != value for key, value in self._labels.items()):
            return
        with self._lock:
            self._rows += 1
        if self._rows > MOST_ROWS:
            self.unread(f"more than {MOST_ROWS} alerts")
        else:
            self._log.notification(Notice(alert.status), name, t_ns, round(alert.startsAt.timestamp() * 1e9), alert.labels)


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, receiver: Receiver, recorder: Recorder) -> None:
        self.address_family = receiver.family
        self.recorder, self._free = recorder, threading.Semaphore(AT_ONCE)
        super().__init__(receiver.address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver declares it
        """Answer in a thread, if there are not too many."""
        if not self._free.acquire(blocking=False):
            self.recorder.unread(f"more than {AT_ONCE} connections at once; some were refused")
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError as error:  # no thread is to be had
            self._free.release()
            self.recorder.unread(f"a connection for which there was no thread: {error}")
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - likewise
        """Answer, and let the next one come."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - likewise
        """Record what went wrong with a connection: nobody reads what a thread prints."""
        self.recorder.unread(f"a connection that broke: {type(sys.exc_info()[1]).__name__}: {sys.exc_info()[1]}")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = READ_S

    def do_POST(self) -> None:
        """Take a notification."""
        t_ns, written = now_ns(), self.headers.get("Content-Length", "")
        if not written.isdecimal():
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "a notification that does not say how long it is")
        if len(written) > 9 or int(written) > LARGEST_BYTES:
            return self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a notification of {written[:20]} bytes; at most {LARGEST_BYTES} are read"
            )
        body = self.rfile.read(int(written))
        if len(body) < int(written):
            return self._refuse(HTTPStatus.BAD_REQUEST, f"a notification that was cut off after {len(body)} of {written} bytes")
        return self._answer(HTTPStatus.OK if self.server.recorder.took(body, t_ns) else HTTPStatus.BAD_REQUEST)

    def do_GET(self) -> None:
        """Say that a notification is posted."""
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED)

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server declares it
        """Record a request that is none, or that did not end in time."""
        self.server.recorder.unread(format % args)

    def log_message(self, *_: object) -> None:
        """Say nothing about single requests."""

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self.server.recorder.unread(text)
        self._answer(status)

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "POST")
        self.send_header("Content-Length", "0")
        self.end_headers()


class AlertReceiver:
    """The suite's receiver, from :meth:`start` to :meth:`stop`."""

    def __init__(self, receiver: Receiver, rules: Collection[AlertPlan], labels: Mapping[str, str], log: RunLog) -> None:
        self._receiver, self._log = receiver, log
        self._recorder = Recorder(rules, labels, log)
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen, or record why that is not possible: the check ``alerts`` says it."""
        try:
            self._server = _Server(self._receiver, self._recorder)
        except (OSError, UnicodeError) as error:  # the latter: a name that no DNS takes
            self._log.notification(Notice.DEAF, detail={"text": f"it could not listen on {self._receiver.listen} ({error})"})
            return
        self._log.notification(Notice.LISTENING)
        threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="alert receiver", daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def receiver_in(region: Region, rules: Collection[AlertPlan], log: RunLog) -> AlertReceiver | None:
    """Return the receiver that a region declares; ``None``: it declares none, or no rule is judged."""
    if region.alerts is None or region.alerts.receiver is None or not rules:
        return None
    return AlertReceiver(region.alerts.receiver, rules, region.prometheus.labels if region.prometheus else {}, log)
