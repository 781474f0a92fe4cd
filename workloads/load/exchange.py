"""One exchange of a request and its answer: its state while it is under way, and how it ended.

How an attempt ended, as the client saw it:

- ``ok``: the whole answer came with a status of 2xx; ``valid`` says whether it is the right one.
- ``fail``: known not to be answered: no connection, an HTTP error, an error inside the stream, the cap on requests in flight.
- ``unknown``: sent, and the end of its answer was not seen: time-out, reset, truncated, cut off by the end of the load.

``complete`` is null if not a byte of an answer came, false if the answer broke off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import gevent
from geventhttpclient.response import HTTPParseError, HTTPResponse

from history.clock import now_ns
from history.schema import Outcome
from workloads.load.answers import TokenStream, first_choice, first_line, parse, usage_tokens
from workloads.load.connections import Connection
from workloads.load.prompts import Prompt

RECEIVE_BYTES = 16_384


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
