"""One exchange of a request and its answer: its state while it is under way, and how it ended.

How an attempt ended, as the client saw it:

- ``ok``: the whole answer came with a status of 2xx; ``valid`` says whether it is the right one.
- ``fail``: known not to be answered: no connection, an HTTP error, an answer of 2xx that is an error, cannot be read, holds no token or
  was given up by the server; the cap on requests in flight.
- ``unknown``: sent, and the end of its answer was not seen: time-out, reset, truncated, cut off by the end of the load.

``complete`` is null if not a byte of an answer came, false if the answer broke off or is no whole one.

An answer is whole if its finish reason says so. Without one, only a known length shows that nothing is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import gevent
from geventhttpclient.response import HTTPParseError, HTTPResponse

from history.clock import now_ns
from history.prompts import Prompt
from history.schema import Outcome
from workloads.load.answers import COMPLETIONS, BadAnswer, ErrorAnswer, Reader, Said, first_line, read_plain
from workloads.load.connections import Connection
from workloads.load.finish_reasons import UNNAMED, WHOLE, WITHOUT_TEXT
from workloads.load.right import is_all, wrong_in
from workloads.load.stream import TokenStream

RECEIVE_BYTES = 16_384
FIRST_BYTES = 16  # by which another protocol is known
NOTHING = Said("", visible=False, reason=None, tokens=None)
"""What an answer without a body says."""


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
    """The state of one attempt while it is under way; ``to_the_end``: the answer may not end before ``max_tokens``."""

    __slots__ = ("answer", "api", "connection", "failure", "first_byte_ns", "first_bytes", "sent_ns", "stream", "to_the_end")

    def __init__(self, stream: bool, sent_ns: int = 0, to_the_end: bool = False, api: Reader = COMPLETIONS) -> None:
        self.sent_ns, self.to_the_end, self.api = sent_ns, to_the_end, api
        self.connection: Connection | None = None
        self.failure: OSError | None = None
        self.answer = Answer()
        self.stream = TokenStream(api) if stream else None
        self.first_byte_ns: int | None = None
        self.first_bytes = b""

    def receive(self, connection: Connection, meanwhile: Callable[[int], None]) -> None:
        """Read from ``connection`` to the end of the answer; ``meanwhile`` is told the time (ns) of each arrival of bytes.

        Raises:
            OSError: the connection broke.
            HTTPParseError: it was closed before the end of the answer, or what came is not HTTP.
            BadAnswer: a chunk of the stream is no completion chunk, or an error.

        """
        while not self.answer.whole:
            data = connection.sock.recv(RECEIVE_BYTES)
            t_ns = now_ns()
            meanwhile(t_ns)
            if self.first_byte_ns is None and data:
                self.first_byte_ns, self.first_bytes = t_ns, data[:FIRST_BYTES]
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
        return Ending(Outcome.FAIL, refused(exchange.answer), complete=True)
    if exchange.stream is None and not exchange.answer.body.strip():
        return judge_said(call, NOTHING)
    if exchange.stream is None:
        return judge_said(call, read_plain(exchange.answer.body, exchange.api), exchange.to_the_end)
    exchange.stream.end(now_ns())
    exchange.stream.close(now_ns())
    if exchange.stream.done_ns is None and exchange.stream.stray:
        raise BadAnswer(f"not a stream of events: {first_line(exchange.stream.stray)}")
    if exchange.stream.done_ns is not None or exchange.stream.first_ns is None:
        return judge_said(call, exchange.stream.said(), exchange.to_the_end)
    return broken_off(call, exchange, "Truncated: the stream ended without [DONE]")


def judge_said(call: Call, said: Said, to_the_end: bool = False) -> Ending:
    """Judge a completion that ended: whether it is whole, and whether it is the right one; ``to_the_end`` as in :class:`Exchange`."""
    if lack := _lack(call, said, is_all(call.prompt, said, call.max_tokens), to_the_end):
        cut = said.visible and said.reason is None
        return Ending(Outcome.UNKNOWN if cut else Outcome.FAIL, lack, complete=False, tokens=said.tokens)
    wrong = wrong_in(call.prompt, said, call.max_tokens)
    error = f"WrongAnswer: {wrong}" if wrong else None
    return Ending(Outcome.OK, error, complete=True, valid=None if wrong is None else not wrong, tokens=said.tokens)


def _lack(call: Call, said: Said, known_all: bool, to_the_end: bool) -> str:
    """Return what an answer lacks of a whole one; empty if nothing. ``known_all``: all of its text is known to be there."""
    because = f" (finish_reason {said.reason!r})" if said.reason else ""
    if not said.visible and said.reason not in WITHOUT_TEXT and call.max_tokens and not known_all:
        hidden = f", and the server counted {said.tokens}" if said.counted and said.reason == "length" else ""
        return f"EmptyAnswer: no token of {call.max_tokens}{because}{hidden}"
    if said.reason is None:
        whole = known_all or (said.tokens or 0) >= call.max_tokens
        return "" if whole else "Truncated: the answer ended without a finish reason"
    if said.reason not in WHOLE:
        return f"Unfinished: not a whole answer{because}"
    if to_the_end and said.reason not in {UNNAMED, "length"}:
        return f"ShortAnswer: ended before {call.max_tokens} tokens{because}"
    return ""


def refused(answer: Answer) -> str:
    """Return what an answer that is none of 2xx says: its status, where it leads, its first line."""
    location, line = header(answer, "location"), first_line(answer.body)
    to = f"to {location}" if location and 300 <= answer.get_code() < 400 else ""
    return f"HTTP {answer.get_code()}: {', '.join(part for part in (to, line) if part)}"


def unreadable(exchange: Exchange, error: BadAnswer) -> Ending:
    """Return the ending of an attempt whose answer of 2xx is an error or no completion: nobody was served, whatever became of its bytes."""
    tokens = exchange.stream.chunks if exchange.stream else None
    coding = (header(exchange.answer, "content-encoding") or "identity").strip().lower()
    said = (
        f"{type(error).__name__}: {error}" if coding == "identity" else f"Encoded: the answer is in {coding}, the load asks for none of it"
    )
    return Ending(Outcome.FAIL, said, complete=False, tokens=tokens)


def broken_off(call: Call, exchange: Exchange, error: str) -> Ending:
    """Return the ending of an attempt that broke off; a stream that had said ``[DONE]`` or an error ended so all the same."""
    if exchange.stream:
        try:
            exchange.stream.end(now_ns())
        except ErrorAnswer as failure:
            return unreadable(exchange, failure)
        except BadAnswer:  # half an event
            pass
        if exchange.stream.done_ns is not None:
            return judge_said(call, exchange.stream.said(), exchange.to_the_end)
    outcome = Outcome.FAIL if exchange.connection is None else Outcome.UNKNOWN
    begun = False if exchange.first_byte_ns is not None else None
    return Ending(outcome, error, complete=begun, tokens=exchange.stream.chunks if exchange.stream else None)


def closed_early(exchange: Exchange, error: HTTPParseError) -> str:
    """Say how the connection failed to carry a whole HTTP answer."""
    if exchange.first_byte_ns is None:
        return "ConnectionClosed: closed without an answer"
    if exchange.answer.headers_complete:
        return "Truncated: closed before the end of the answer"
    return f"NotHttp: {spoken(exchange.first_bytes) or error}"


def spoken(data: bytes) -> str:
    """Say what a server speaks in place of HTTP/1.1, by its first bytes; empty if that cannot be told."""
    if data[3:5] == b"\x04\x00" and data[5:9] == b"\0\0\0\0":  # a SETTINGS frame of stream 0 (RFC 9113)
        return "the server speaks HTTP/2 alone"
    return "the server speaks TLS" if data[:2] in {b"\x15\x03", b"\x16\x03"} else ""  # an alert, a handshake


def header(answer: Answer, name: str) -> str | None:
    """Return a header of the answer; of several, the first."""
    value = answer.get(name)
    return value[0] if isinstance(value, list) else value
