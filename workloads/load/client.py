"""One attempt at one request: sent, read and judged, whatever happens, into one row of the history.

How an attempt ended, as the client saw it:

- ``ok``: the whole answer came with a status of 2xx; ``valid`` says whether it is the right one.
- ``fail``: known not to be answered: no connection, an HTTP error, an error inside the stream, the cap on requests in flight.
- ``unknown``: sent, and the end of its answer was not seen: time-out, reset, truncated, cut off by the end of the load.

``complete`` is null if not a byte of an answer came, false if the answer broke off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import gevent
import orjson
from geventhttpclient.response import HTTPParseError, HTTPResponse

from history.clock import now_ns
from history.plan import Load
from history.schema import Outcome
from workloads.load.answers import BadAnswer, TokenStream, first_choice, first_line, in_one_line, parse, usage_tokens
from workloads.load.connections import Connection, Connections
from workloads.load.endpoint import Endpoint, api_key, request_head
from workloads.load.prompts import Prompt

RECEIVE_BYTES = 16_384
AT_ONCE_BYTES = 16_384  # an idle connection's send buffer is empty and takes more than this without waiting
LOAD_ENDED = "CutOff: the load ended before the answer did"
Row = dict[str, Any]


class Call(NamedTuple):
    """One user's request; its attempts share ``intended_ns``."""

    request_id: int
    intended_ns: int
    stream: bool
    prompt: Prompt
    max_tokens: int


class CutOff(gevent.GreenletExit):  # type: ignore[misc]  # gevent does not type it
    """Thrown into an attempt that shall end now; its text says why."""


class Ending(NamedTuple):
    """How an attempt ended; fields as in :data:`history.schema.REQUESTS`."""

    outcome: Outcome
    error: str | None = None
    complete: bool | None = None
    valid: bool | None = None
    tokens: int | None = None


class Answer(HTTPResponse):
    """An HTTP response parser that only collects the body."""

    def __init__(self) -> None:
        super().__init__("POST")
        self.body = bytearray()

    def _on_body(self, buf: bytearray) -> None:
        self.body += buf

    @property
    def whole(self) -> bool:
        """Tell whether the answer has ended; an interim one (1xx, say 103 Early Hints) is not the answer."""
        return self.message_complete and self.get_code() >= 200


class Exchange:
    """The state of one attempt while it is under way."""

    __slots__ = ("answer", "connection", "failure", "first_byte_ns", "sent_ns", "stream")

    def __init__(self, stream: bool, sent_ns: int = 0) -> None:
        self.sent_ns = sent_ns
        self.connection: Connection | None = None
        self.failure: OSError | None = None
        self.answer = Answer()
        self.stream = TokenStream() if stream else None
        self.first_byte_ns: int | None = None

    def receive(self, connection: Connection, meanwhile: Callable[[int], None]) -> None:
        """Read from ``connection`` to the end of the answer; ``meanwhile`` is told the time (ns) of each arrival of bytes.

        Raises:
            OSError: the connection broke.
            HTTPParseError: it was closed before the end of the answer, or what came is not HTTP.
            BadAnswer: a chunk of the stream is no completion chunk.

        """
        while not self.answer.whole:
            data = connection.sock.recv(RECEIVE_BYTES)
            t_ns = now_ns()
            meanwhile(t_ns)
            if self.first_byte_ns is None and data:
                self.first_byte_ns = t_ns
            self.answer.feed(data)
            if not data and not self.answer.whole:
                raise HTTPParseError("closed")
            if self.stream and self.ok_status:
                self.stream.feed(self.answer.body, t_ns)
                self.answer.body.clear()

    @property
    def ok_status(self) -> bool:
        """Tell whether the headers came and say 2xx."""
        return self.answer.headers_complete and 200 <= self.answer.get_code() < 300


class Client:
    """Sends completions requests of one plan to one endpoint.

    ``meanwhile`` is called whenever bytes have arrived, before they are looked at: what is due is sent first.
    """

    def __init__(self, load: Load, run_id: str, worker: str) -> None:
        endpoint = Endpoint.of(load.url)
        self.connections = Connections(endpoint, load.connection_max_age_s, load.ca_file)
        self._model, self._timeout_s = load.model, load.timeout_s
        self._run_id, self._worker, self._authority = run_id, worker, endpoint.authority
        self._key = api_key(load)
        self._head = request_head(endpoint, load.headers, self._key)
        self.meanwhile: Callable[[int], None] = nothing

    def begin(self, call: Call, number: int) -> Exchange | None:
        """Send attempt ``number`` of ``call`` at once, without waiting; ``None`` if that needs a new connection or more than one call."""
        request = self._request(call, number)
        connection = self.connections.idle() if len(request) <= AT_ONCE_BYTES else None
        if connection is None:
            return None
        exchange = Exchange(call.stream, now_ns())
        exchange.connection = connection
        try:
            connection.sock.send(request)
        except OSError as error:
            exchange.failure = error
        return exchange

    def attempt(self, call: Call, number: int, begun: Exchange | None = None) -> Row:
        """Carry out attempt ``number`` of ``call`` (or its rest) within the time-out, return its row; a :class:`CutOff` ends it early."""
        exchange = begun or Exchange(call.stream, now_ns())
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
            ending = Ending(Outcome.OK, f"BadAnswer: {error}", complete=exchange.answer.whole, valid=False)
        finally:
            timeout.close()
            self._release(exchange)
        return self._row(call, number, exchange, ending)

    def _connected(self, call: Call, number: int, exchange: Exchange) -> Connection:
        """Return the connection over which the request has been sent."""
        if exchange.failure:
            raise exchange.failure
        if exchange.connection is None:
            exchange.connection = self.connections.take()
            exchange.connection.sock.sendall(self._request(call, number))
        return exchange.connection

    def never_sent(self, call: Call, number: int, error: str) -> Row:
        """Return the row of an attempt that was not made."""
        row = self._row(call, number, Exchange(call.stream), Ending(Outcome.FAIL, error))
        return row | {"sent_ns": None, "done_ns": None}

    def _request(self, call: Call, number: int) -> bytes:
        body = orjson.dumps(
            {"model": self._model, "prompt": call.prompt.prompt, "max_tokens": call.max_tokens, "temperature": 0, "stream": call.stream}
        )
        own = f"x-request-id: {self._run_id}-{call.request_id}-{number}\r\ncontent-length: {len(body)}\r\n\r\n"
        return self._head + own.encode() + body

    def _release(self, exchange: Exchange) -> None:
        if exchange.connection is None:
            return
        if exchange.answer.should_close():
            exchange.connection.close()
        else:
            self.connections.give_back(exchange.connection)

    def _timed_out(self, exchange: Exchange) -> str:
        if exchange.connection is None:
            return f"ConnectTimeout: no connection within {self._timeout_s:g} s"
        what = "no answer" if exchange.first_byte_ns is None else "the answer did not end"
        return f"Timeout: {what} within {self._timeout_s:g} s"

    def _quote(self, text: str | None) -> str | None:
        """Return what a server said in one line without the API key: a server may quote what it was sent."""
        if text is None:
            return None
        return in_one_line(text.replace(self._key, "***") if self._key else text)

    def _row(self, call: Call, number: int, exchange: Exchange, ending: Ending) -> Row:
        stream, connection = exchange.stream, exchange.connection
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
            "max_gap_ms": stream.gap_ns / 1e6 if stream and stream.first_ns is not None else None,
            "status": exchange.answer.get_code() if exchange.answer.headers_complete else None,
            "error": self._quote(ending.error),
            "endpoint": connection.peer if connection else self._authority,
            "pod": self._quote(header(exchange.answer, "x-pod")),
            "tokens": ending.tokens,
            "worker": self._worker,
        }


def nothing(_t_ns: int) -> None:
    """Do nothing."""


def judge(call: Call, exchange: Exchange) -> Ending:
    """Judge an answer that was read to its end; raises :class:`BadAnswer` if it is no completion."""
    if not exchange.ok_status:
        return Ending(Outcome.FAIL, f"HTTP {exchange.answer.get_code()}: {first_line(exchange.answer.body)}", complete=True)
    if exchange.stream is None:
        parsed = parse(exchange.answer.body)
        text, tokens = first_choice(parsed), usage_tokens(parsed)
    elif exchange.stream.error is not None:
        return Ending(Outcome.FAIL, f"StreamError: {exchange.stream.error}", complete=False, tokens=exchange.stream.chunks)
    elif exchange.stream.done_ns is None:
        return broken_off(call, exchange, "Truncated: the stream ended without [DONE]")
    else:
        text, tokens = exchange.stream.text, exchange.stream.tokens or exchange.stream.chunks
    expected = call.prompt.expected(call.max_tokens)
    valid = None if expected is None else text == expected
    return Ending(
        Outcome.OK, "WrongAnswer: not the expected completion" if valid is False else None, complete=True, valid=valid, tokens=tokens
    )


def broken_off(call: Call, exchange: Exchange, error: str) -> Ending:
    """Return the ending of an attempt that broke off; a stream that had said ``[DONE]`` was whole all the same."""
    if exchange.stream:
        if exchange.stream.done_ns is not None:
            return judge(call, exchange)
        exchange.stream.end(now_ns())
    outcome = Outcome.FAIL if exchange.connection is None else Outcome.UNKNOWN
    begun = False if exchange.first_byte_ns is not None else None
    return Ending(outcome, error, complete=begun, tokens=exchange.stream.chunks if exchange.stream else None)


def closed_early(exchange: Exchange, error: HTTPParseError) -> str:
    """Say how the connection failed to carry a whole HTTP answer."""
    if exchange.first_byte_ns is None:
        return "ConnectionClosed: closed without an answer"
    if exchange.answer.headers_complete:
        return "Truncated: closed before the end of the answer"
    return f"NotHttp: {error}"


def header(answer: Answer, name: str) -> str | None:
    """Return a header of the answer; of several, the first."""
    value = answer.get(name)
    return value[0] if isinstance(value, list) else value
