"""One attempt at one request: sent, read and judged, whatever happens, into one row of the history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from geventhttpclient.response import HTTPParseError

from history.clock import now_ns
from history.schema import Outcome
from history.workloads import Load
from workloads.load.answers import BadAnswer, in_one_line, printable
from workloads.load.connections import Connection, Connections, users_of
from workloads.load.exchange import Call, CutOff, Ending, Exchange, broken_off, closed_early, header, judge, unreadable
from workloads.load.wire.body import Body, request_head
from workloads.load.wire.credentials import credential_headers, secrets_of, tls_context
from workloads.load.wire.endpoint import Endpoint
from workloads.load.wire.template import reader_of

AT_ONCE_BYTES = 16_384  # an idle connection's send buffer is empty and takes more than this without waiting
LOAD_ENDED = "CutOff: the load ended before the answer did"
Row = dict[str, Any]


class Client:
    """Sends the requests of one plan to one endpoint.

    ``meanwhile`` is called whenever bytes have arrived, before they are looked at: what is due is sent first.
    """

    def __init__(self, load: Load, run_id: str, worker: str, number: int = 0) -> None:
        endpoint, credentials = Endpoint.of(load.url), credential_headers(load)
        self.connections, self._user = Connections(endpoint, load, tls_context(endpoint, load)), users_of(load, number)
        self._timeout_s = load.timeout_s
        self._to_the_end, self._api = load.request.ignore_eos, reader_of(load.request)
        self._run_id, self._worker, self._authority = run_id, worker, endpoint.authority
        self._secrets = secrets_of(credentials)
        headers = load.headers if self.connections.keep else {"connection": "close"} | load.headers
        load = load.model_copy(update={"headers": headers})
        self._heads = [request_head(endpoint, load, credentials, stream=stream) for stream in (False, True)]
        self._bodies = [Body(load, stream=stream) for stream in (False, True)]
        self.meanwhile: Callable[[int], None] = nothing

    def begin(self, call: Call, number: int) -> Exchange | None:
        """Send attempt ``number`` of ``call`` at once, without waiting; ``None`` if that needs a new connection or more than one call."""
        request = self._request(call, number)
        connection = self.connections.idle(self._user(call.request_id)) if len(request) <= AT_ONCE_BYTES else None
        if connection is None:
            return None
        exchange = Exchange(call.stream, now_ns(), self._to_the_end, self._api)
        exchange.connection = connection
        try:
            connection.sock.send(request)
        except OSError as error:
            exchange.failure = error
        return exchange

    def attempt(self, call: Call, number: int, begun: Exchange | None = None) -> Row:
        """Carry out attempt ``number`` of ``call`` (or its rest) within the time-out, return its row; a :class:`CutOff` ends it early."""
        exchange = begun or Exchange(call.stream, now_ns(), self._to_the_end, self._api)
        timeout = gevent.Timeout.start_new(self._timeout_s)
        try:
            exchange.receive(self._connected(call, number, exchange), self.meanwhile)
            ending = judge(call, exchange)
        except gevent.Timeout:
            ending = broken_off(call, exchange, self._timed_out(exchange))
        except CutOff as reason:
            ending = broken_off(call, exchange, str(reason))
        except HTTPParseError as error:
            ending = broken_off(call, exchange, closed_early(exchange, error))
        except OSError as error:
            ending = broken_off(call, exchange, f"{type(error).__name__}: {error}")
        except BadAnswer as error:
            ending = unreadable(exchange, error)
        finally:
            timeout.close()
            self._release(exchange)
        return self._row(call, number, exchange, ending)

    def _connected(self, call: Call, number: int, exchange: Exchange) -> Connection:
        """Return the connection over which the request has been sent."""
        if exchange.failure:
            raise exchange.failure
        if exchange.connection is None:
            exchange.connection = self.connections.take(self._user(call.request_id))
            exchange.connection.sock.sendall(self._request(call, number))
        return exchange.connection

    def never_sent(self, call: Call, number: int, error: str) -> Row:
        """Return the row of an attempt that was not made."""
        row = self._row(call, number, Exchange(call.stream), Ending(Outcome.FAIL, error))
        return row | {"sent_ns": None, "done_ns": None}

    def _request(self, call: Call, number: int) -> bytes:
        body = self._bodies[call.stream].encode(call.prompt.prompt, call.max_tokens)
        own = f"x-request-id: {self._run_id}-{call.request_id}-{number}\r\ncontent-length: {len(body)}\r\n\r\n"
        return self._heads[call.stream] + own.encode() + body

    def _release(self, exchange: Exchange) -> None:
        if exchange.connection is None:
            return
        if exchange.answer.should_close():
            exchange.connection.close()
        else:
            self.connections.give_back(exchange.connection)

    def _timed_out(self, exchange: Exchange) -> str:
        if exchange.connection is None:
            return f"ConnectTimeout: no connection to {self.connections.tried()} within {self._timeout_s:g} s"
        what = "no answer" if exchange.first_byte_ns is None else "the answer did not end"
        return f"Timeout: {what} within {self._timeout_s:g} s"

    def _quote(self, text: str | None) -> str | None:
        """Return what a server said in one line, safe to print and without the credentials: a server may quote what it was sent."""
        if text is None:
            return None
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = text.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be written
        return printable(in_one_line(text))

    def _row(self, call: Call, number: int, exchange: Exchange, ending: Ending) -> Row:
        stream, connection = exchange.stream, exchange.connection
        begun = stream if stream and stream.first_ns is not None else None
        return {
            "request_id": call.request_id,
            "attempt": number,
            "intended_ns": call.intended_ns,
            "sent_ns": exchange.sent_ns,
            "first_byte_ns": stream.first_ns if stream else exchange.first_byte_ns,
            "done_ns": (stream and stream.done_ns) or now_ns(),
            "outcome": ending.outcome.value,
            "valid": ending.valid,
            "complete": ending.complete,
            "max_gap_ms": begun.gap_ns / 1e6 if begun else None,
            "gap_end_ns": begun.gap_end_ns if begun else None,
            "max_visible_gap_ms": begun.visible_gap_ns / 1e6 if begun else None,
            "status": exchange.answer.get_code() if exchange.answer.headers_complete else None,
            "error": self._quote(ending.error),
            "endpoint": connection.peer if connection else self._authority,
            "connection": connection.number if connection else None,
            "pod": self._quote(header(exchange.answer, "x-pod")),
            "tokens": ending.tokens,
            "worker": self._worker,
        }


def nothing(_t_ns: int) -> None:
    """Do nothing."""
