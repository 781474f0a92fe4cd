"""What is a whole answer: the real client against raw answers on loopback, as real servers give them."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent.server
import polars as pl
import pytest

from history.clock import now_ns
from history.prompts import Prompt
from history.schema import REQUESTS
from history.workloads import Load, Mix
from verdict.inputs.goodness import acknowledged
from workloads.inference.schema import Answer, CompletionRequest, error_body
from workloads.load.answers import Said
from workloads.load.client import Client, Row
from workloads.load.exchange import Call, judge_said

ASKED = 8
TEXT = "abcdefgh"
NOT_KNOWN = Prompt("p", None)
SEEN: list[bytes] = []
FINE = ("ok", True, True, None)


def choice(text: str | None, reason: object = None, **more: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": reason}], **more}


def plain(answer: dict[str, Any] | bytes) -> bytes:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def stream(*events: dict[str, Any] | bytes, done: bool = True, end: bool = True) -> bytes:
    """Return a streamed answer; ``end``: with the end of its HTTP message."""
    parts = [event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    body = b"".join([*parts, b"data: [DONE]\n\n" if done else b""])
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n" % (len(body), body) + (b"0\r\n\r\n" if end else b"")


def chunks(text: str, reason: str | None = None, **more: object) -> list[dict[str, Any]]:
    return [choice(token, reason if number == len(text) else None, **more) for number, token in enumerate(text, 1)]


@contextmanager
def answering(data: bytes, reset: bool) -> Iterator[str]:
    """Serve ``data`` to every request, then close, with RST if ``reset``; give the URL."""

    def converse(sock: Any, _address: object) -> None:
        SEEN.append(sock.recv(65_536))
        sock.sendall(data)
        if reset:
            gevent.sleep(0.05)  # else what was sent is discarded with it
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    server = gevent.server.StreamServer(("127.0.0.1", 0), converse)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.stop()


def attempt(data: bytes, streamed: bool, reset: bool = False, prompt: Prompt = NOT_KNOWN, asked: int = ASKED, **request: bool) -> Row:
    with answering(data, reset) as url:
        fields = {"url": url, "model": "m", "mix": (Mix(weight=1, max_tokens=(1, 1)),), "prompts": "p", "in_flight_cap": 9}
        load = Load.model_validate(fields | {"rate_rps": 10.0, "horizon_s": 1.0, "seed": 1, "timeout_s": 5, "request": request})
        return Client(load, "run", "load-0").attempt(Call(0, now_ns(), streamed, prompt, asked), 0)


def ended(row: Row) -> tuple[str, bool, bool, str | None]:
    """Return outcome, completeness, whether the verdict takes it for acknowledged, and error."""
    served = pl.DataFrame([row], schema={name: kind for name, kind in REQUESTS.items() if name != "region"}).select(acknowledged()).item()
    return row["outcome"], row["complete"], served, row["error"]


USAGE = {"usage": {"completion_tokens": ASKED}}
ABORTED = "Unfinished: not a whole answer (finish_reason 'abort')"
EMPTY = f"EmptyAnswer: no token of {ASKED}"
PLAIN: dict[str, tuple[dict[str, Any] | bytes, tuple[str, bool, bool, str | None]]] = {
    "length": (choice(TEXT, "length") | USAGE, FINE),
    "stops early by itself": (choice("abcd", "stop"), FINE),
    "content filter": (choice("abcd", "content_filter"), FINE),
    "tools called": (choice(None, "tool_calls"), FINE),
    "aborted, though its usage says that all is there": (choice("ab", "abort") | USAGE, ("fail", False, False, ABORTED)),
    "failed": (choice("ab", "error"), ("fail", False, False, "Unfinished: not a whole answer (finish_reason 'error')")),
    "a reason that nobody knows": (choice("ab", "gone"), ("fail", False, False, "Unfinished: not a whole answer (finish_reason 'gone')")),
    "an object, as SGLang's engine has it": (choice(TEXT, {"type": "length", "length": ASKED}), FINE),
    "an object that says abort": (choice("ab", {"type": "abort", "message": "queue is full"}), ("fail", False, False, ABORTED)),
    "without a body": (b"", ("fail", False, False, EMPTY)),
    "all of it hidden": (
        choice("", "length") | USAGE,
        ("fail", False, False, f"{EMPTY} (finish_reason 'length'), and the server counted 8"),
    ),
    "null at the end": (choice("ab"), ("unknown", False, False, "Truncated: the answer ended without a finish reason")),
    "null at the end, and a known length": (choice(TEXT) | USAGE, FINE),
    "no field for a reason": ({"choices": [{"text": TEXT}]}, FINE),
    "no token, aborted": (choice("", "abort") | USAGE, ("fail", False, False, f"{EMPTY} (finish_reason 'abort')")),
    "no token, stopped": (choice("", "stop"), ("fail", False, False, f"{EMPTY} (finish_reason 'stop')")),
    "no token, text null": (choice(None), ("fail", False, False, EMPTY)),
    "reasoning": ({"choices": [{"text": "", "reasoning_content": TEXT, "finish_reason": "length"}]}, FINE),
    "a null error": (choice(TEXT, "length", error=None), FINE),
    "an error": ({"error": {"message": "EngineCore died"}}, ("fail", False, False, "ErrorAnswer: EngineCore died")),
    "half a character in an error": (b'{"error": "bad \\ud83d"}', ("fail", False, False, "ErrorAnswer: bad ?")),
    "what a terminal would obey": (
        {"error": "bad \x1b[31mred\x07 \u202egnp 内部错误"},
        ("fail", False, False, r"ErrorAnswer: bad \x1b[31mred\x07 \u202egnp 内部错误"),
    ),
    "a login page": (b"<!doctype html>", ("fail", False, False, "BadAnswer: not JSON: <!doctype html>")),
    "the chat API": (
        {"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}]},
        ("fail", False, False, "BadAnswer: choices[0] is of the chat API, a completion was asked for"),
    ),
}


@pytest.mark.parametrize(("answer", "wanted"), PLAIN.values(), ids=PLAIN)
def test_plain_answers(answer: dict[str, Any] | bytes, wanted: tuple[str, bool, bool, str | None]) -> None:
    assert ended(attempt(plain(answer), streamed=False)) == wanted


NO_REASON = ("unknown", False, False, "Truncated: the answer ended without a finish reason")
STREAMED: dict[str, tuple[bytes, tuple[str, bool, bool, str | None]]] = {
    "length": (stream(*chunks(TEXT, "length")), FINE),
    "stops early by itself": (stream(*chunks("abcd", "stop")), FINE),
    "reason in a chunk of its own, then usage": (stream(*chunks("abcd"), choice(None, "stop"), USAGE), FINE),
    "aborted after a third": (stream(*chunks("ab"), choice("", "abort")), ("fail", False, False, ABORTED)),
    "aborted in the last chunk of text": (stream(*chunks(TEXT, "abort")), ("fail", False, False, ABORTED)),
    "no reason": (stream(*chunks("abcd")), NO_REASON),
    "no reason, and one token too few": (stream(choice(""), *chunks(TEXT[1:])), NO_REASON),
    "no reason, and as many chunks as tokens were asked for": (stream(*chunks(TEXT, error=None)), FINE),
    "no reason, and usage": (stream(choice(TEXT), USAGE), FINE),
    "no token": (stream(choice("", "abort")), ("fail", False, False, f"{EMPTY} (finish_reason 'abort')")),
    "nothing but the end": (stream(), ("fail", False, False, EMPTY)),
    "reasoning": (stream(*[{"choices": [{"text": "", "reasoning_content": token}]} for token in TEXT]), FINE),
    "without a body": (plain(b""), ("fail", False, False, EMPTY)),
    "nothing but signs of life": (stream(b": ping\n\n", choice(""), done=False), ("fail", False, False, EMPTY)),
    "an abort that somebody turns into stop": (
        stream(*chunks("ab"), choice("", "abort"), choice("", "stop")),
        ("fail", False, False, ABORTED),
    ),
    "no [DONE]": (stream(*chunks("ab"), done=False), ("unknown", False, False, "Truncated: the stream ended without [DONE]")),
    "a page in place of a stream": (
        plain(b"<!doctype html>\n<html>"),
        ("fail", False, False, "BadAnswer: not a stream of events: <!doctype html>"),
    ),
    "an error in place of a stream": (plain(b'{"error": "down"}'), ("fail", False, False, "BadAnswer: not a stream of events: down")),
    "a proxy speaks in the middle": (
        stream(choice("a"), b"upstream request timeout", done=False),
        ("fail", False, False, "BadAnswer: not a stream of events: upstream request timeout"),
    ),
}


@pytest.mark.parametrize(("answer", "wanted"), STREAMED.values(), ids=STREAMED)
def test_streamed_answers(answer: bytes, wanted: tuple[str, bool, bool, str | None]) -> None:
    assert ended(attempt(answer, streamed=True)) == wanted


def test_the_reference_server_is_judged_as_before() -> None:
    asked = CompletionRequest(model="m", prompt="p", max_tokens=ASKED)
    assert ended(attempt(plain(Answer(asked, "1").whole(TEXT)), streamed=False)) == FINE
    answer = Answer(asked, "2")
    events = [answer.chunk(token, last=number == ASKED) for number, token in enumerate(TEXT, 1)]
    assert ended(attempt(stream(*events), streamed=True)) == FINE
    cut = attempt(stream(*events[:3], done=False, end=False), streamed=True)
    assert ended(cut) == ("unknown", False, False, "Truncated: closed before the end of the answer")
    failed = b"data: " + error_body(503, "the engine died") + b"\n\n"
    assert ended(attempt(stream(*events[:3], failed, done=False, end=False), streamed=True))[1:3] == (False, False)


UNREADABLE = {
    "error": (b'data: {"error": {"message": "engine died"}}\n\n', "StreamError: engine died"),
    "error of TGI": (b'event: error\ndata: {"message": "overloaded"}\n\n', "StreamError: overloaded"),
    "plain text": (b"data: must be greater than 0.\n\n", "BadAnswer: not JSON: must be greater than 0."),
}


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(("done", "end"), [(True, True), (False, True), (True, False), (False, False)])
@pytest.mark.parametrize(("event", "says"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_never_acknowledged_however_it_was_cut(event: bytes, says: str, done: bool, end: bool, reset: bool) -> None:
    row = attempt(stream(choice("ab"), event, done=done, end=end), streamed=True, reset=reset)
    assert (*ended(row), row["valid"]) == ("fail", False, False, says, None)


def test_an_error_without_the_end_of_its_line_is_read_when_the_connection_breaks() -> None:
    row = attempt(stream(choice("a"), b'data: {"error": "engine died"}', done=False, end=False), streamed=True, reset=True)
    assert ended(row) == ("fail", False, False, "StreamError: engine died")


def test_half_an_event_is_an_answer_that_broke_off() -> None:
    row = attempt(stream(choice("a"), b'data: {"choi', done=False, end=False), streamed=True)
    assert ended(row) == ("unknown", False, False, "Truncated: closed before the end of the answer")


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("length", FINE),
        ("stop", ("fail", False, False, f"ShortAnswer: ended before {ASKED} tokens (finish_reason 'stop')")),
        ("abort", ("fail", False, False, ABORTED)),
    ],
)
def test_an_answer_that_was_to_ignore_its_end_ends_at_the_length_that_was_asked_for(
    streamed: bool, reason: str, wanted: tuple[str, bool, bool, str | None]
) -> None:
    answer = stream(*chunks("abcd", reason)) if streamed else plain(choice("abcd", reason) | USAGE)
    assert ended(attempt(answer, streamed, ignore_eos=True)) == wanted


@pytest.mark.parametrize("asked", [False, True])
def test_ignore_eos_is_sent_where_the_plan_asks_for_it(asked: bool) -> None:
    SEEN.clear()
    attempt(plain(choice(TEXT, "length")), streamed=False, ignore_eos=asked)
    body = json.loads(SEEN[0].split(b"\r\n\r\n")[1])
    assert body.pop("ignore_eos", False) is asked
    assert body == {"model": "m", "prompt": "p", "max_tokens": ASKED, "temperature": 0, "stream": False}


def said(text: str, reason: str | None, completion: str | None) -> tuple[str, bool | None, bool | None]:
    ending = judge_said(Call(0, 0, False, Prompt("p", completion), ASKED), Said(text, bool(text), reason, len(text)))
    return ending.outcome.value, ending.complete, ending.valid


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_an_answer_is_compared_by_its_tokens(streamed: bool) -> None:
    known, tokens = Prompt("p", " Paris is the capital"), (" Paris", " is")
    usage = {"usage": {"completion_tokens": 2}}
    events = [choice(token, reason) for token, reason in zip(tokens, (None, "length"), strict=True)]
    answer = stream(*events) if streamed else plain(choice("".join(tokens), "length") | usage)
    row = attempt(answer, streamed, prompt=known, asked=2)
    assert (*ended(row), row["valid"]) == (*FINE, True)
    other = attempt(answer, streamed, prompt=known._replace(completion=" London is the capital"), asked=2)
    assert (*ended(other), other["valid"]) == ("ok", True, True, "WrongAnswer: not the expected completion", False)


def test_a_known_answer_is_whole_when_all_of_it_came() -> None:
    assert said("abcd", None, completion="abcd") == ("ok", True, True)
    assert said("", "stop", completion="") == ("ok", True, True)
    assert said("ab\ud83d\ude00", None, completion="ab😀") == ("ok", True, True)
    assert said("abcd", "stop", completion=TEXT) == ("ok", True, False)
    assert said("abcd", "abort", completion="abcd") == ("fail", False, None)
