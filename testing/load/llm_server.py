"""A completions server that answers as real ones do: the first part of the path names how.

``python -m testing.load.llm_server`` prints ``{"port": …}`` and serves ``POST /BEHAVIOUR[.CUT]/v1/completions`` on 127.0.0.1 until it is
ended. Its model knows one answer, :data:`TOKENS`. ``.CUT`` says how a streamed answer that went wrong ends: ``done`` (``[DONE]`` and the
end of its HTTP message follow), ``end`` (the end of the message alone), ``closed`` (neither), ``reset`` (by RST).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from testing.load.http import Asked, bound, chunk, head, read_request, reset
from testing.load.program import program

TOKENS = (" Paris", " is", " the", " capital", " of", " France", ",", " and")
TOKEN_S = 0.02
DONE = b"data: [DONE]\n\n"
ENDS_OF_MESSAGE = ("", "done", "end")
FAILED = {"error": {"message": "EngineCore encountered an issue", "code": 500}}

Answer = dict[str, Any]
Part = bytes | float
"""Bytes to be sent, or seconds to wait."""
STREAMS: dict[str, Callable[[Asked], Iterator[Part]]] = {}
PLAINS: dict[str, Callable[[Asked], Answer]] = {}


def choice(text: str | None, reason: str | None = None, **more: object) -> Answer:
    return {"choices": [{"index": 0, "text": text, "finish_reason": reason}], **more}


def event(message: Answer) -> bytes:
    return b"data: " + json.dumps(message).encode() + b"\n\n"


def usage(tokens: int) -> Answer:
    return {"usage": {"completion_tokens": tokens}}


def tokens_of(asked: Asked, share: float = 1.0) -> tuple[str, ...]:
    return TOKENS[: int(asked.max_tokens * share)]


def plain(answer: Callable[[Asked], Answer]) -> None:
    """Register what a behaviour answers to plain requests, under the function's name."""
    PLAINS[answer.__name__.removesuffix("_plain")] = answer


def stream(answer: Callable[[Asked], Iterator[Part]]) -> None:
    """Register what a behaviour answers to streamed requests, under the function's name."""
    STREAMS[answer.__name__] = answer


def events(tokens: tuple[str, ...], reason: str | None = "length", pause_s: float = TOKEN_S) -> Iterator[Part]:
    """Yield one event a token; the last says why it is the last."""
    for number, token in enumerate(tokens, 1):
        yield event(choice(token, reason if number == len(tokens) else None))
        yield pause_s


@stream
def right(asked: Asked) -> Iterator[Part]:
    yield from events(tokens_of(asked))


@plain
def right_plain(asked: Asked) -> Answer:
    return choice("".join(tokens_of(asked)), "length") | usage(asked.max_tokens)


@plain
def echo_plain(asked: Asked) -> Answer:
    return choice(asked.prompt, "stop")


@plain
def other_plain(asked: Asked) -> Answer:
    return choice(" London is the capital", "length") | usage(asked.max_tokens)


@plain
def lossy_plain(asked: Asked) -> Answer:
    return choice(TOKENS[0], "length") | usage(asked.max_tokens)


@stream
def abort_done(asked: Asked) -> Iterator[Part]:
    yield from events(tokens_of(asked, 1 / 3))
    yield event(choice("", "abort"))


@plain
def abort_done_plain(asked: Asked) -> Answer:
    return choice("".join(tokens_of(asked, 1 / 3)), "abort") | usage(asked.max_tokens)


@stream
def empty_answer(_asked: Asked) -> Iterator[Part]:
    yield event(choice("", "stop"))


@plain
def empty_answer_plain(_asked: Asked) -> Answer:
    return choice("", "stop") | usage(0)


@stream
def eos_stop(asked: Asked) -> Iterator[Part]:
    yield from events(tokens_of(asked, 1 / 2), "stop")


@plain
def eos_stop_plain(asked: Asked) -> Answer:
    return choice("".join(tokens_of(asked, 1 / 2)), "stop") | usage(asked.max_tokens // 2 + 1)


@stream
def error_in_200(asked: Asked) -> Iterator[Part]:
    yield from events(tokens_of(asked, 1 / 2), None)
    yield event(FAILED)


@plain
def error_in_200_plain(_asked: Asked) -> Answer:
    return FAILED


@stream
def error_event_tgi(asked: Asked) -> Iterator[Part]:
    yield from events(tokens_of(asked, 1 / 2), None)
    yield b'event: error\ndata: {"message": "overloaded", "http_status_code": 429}\n\n'


@stream
def error_plain_text(asked: Asked) -> Iterator[Part]:
    yield from events(tokens_of(asked, 1 / 2), None)
    yield b"data: upstream connect error or disconnect before headers\n\n"


@stream
def event_ping_empty_data(asked: Asked) -> Iterator[Part]:
    for part in events(tokens_of(asked)):
        yield b"event: ping\ndata: \n\n"
        yield part


@stream
def multi_data(asked: Asked) -> Iterator[Part]:
    for token in tokens_of(asked):
        lines = json.dumps(choice(token), indent=1).splitlines()
        yield "".join(f"data: {line}\n" for line in [*lines, ""]).encode() + b"\n"


@stream
def usage_no_choices_key(asked: Asked) -> Iterator[Part]:
    yield from events(tokens_of(asked))
    yield event({"id": "1"} | usage(asked.max_tokens))


@stream
def text_null_last(asked: Asked) -> Iterator[Part]:
    yield from events(tokens_of(asked), None)
    yield event(choice(None, "length"))


@stream
def error_null(asked: Asked) -> Iterator[Part]:
    for token in tokens_of(asked):
        yield event(choice(token, error=None))


@stream
def special_tokens_silent(asked: Asked) -> Iterator[Part]:
    first, *others = tokens_of(asked)
    yield event(choice(first))
    for _ in range(50):  # a second of tokens without text
        yield TOKEN_S
        yield event(choice(""))
    yield from events(tuple(others))


@stream
def reasoning(asked: Asked) -> Iterator[Part]:
    for token in tokens_of(asked):
        yield event({"choices": [{"index": 0, "text": "", "reasoning_content": token}]})
        yield TOKEN_S


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection, request after request."""
    try:
        while asked := await read_request(reader):
            name, _, cut = asked.path.split("/")[1].partition(".")
            if asked.stream:
                await _streamed(STREAMS[name](asked), cut, writer)
            else:
                body = json.dumps(PLAINS[name](asked)).encode()
                writer.write(head(200, "application/json", f"content-length: {len(body)}") + body)
                await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the client left, or the behaviour cut it off
    finally:
        writer.close()


async def _streamed(parts: Iterator[Part], cut: str, writer: asyncio.StreamWriter) -> None:
    writer.write(head(200, "text/event-stream", "transfer-encoding: chunked"))
    for part in parts:
        if isinstance(part, bytes):
            writer.write(chunk(part))
            await writer.drain()
        else:
            await asyncio.sleep(part)
    if cut == "reset":
        await asyncio.sleep(TOKEN_S)  # else what was sent is discarded with it
        await reset(writer)
    writer.write((chunk(DONE) if cut in {"", "done"} else b"") + (b"0\r\n\r\n" if cut in ENDS_OF_MESSAGE else b""))
    await writer.drain()
    if cut not in ENDS_OF_MESSAGE:
        raise ConnectionAbortedError("by script")


async def serve() -> None:
    sock = bound(0)
    server = await asyncio.start_server(converse, sock=sock)
    print(json.dumps({"port": sock.getsockname()[1]}), flush=True)
    await server.serve_forever()


@contextmanager
def llm_server() -> Iterator[str]:
    """Run the server in a process of its own until the block ends; give its URL."""
    with program("testing.load.llm_server") as server:
        yield server.url


if __name__ == "__main__":
    asyncio.run(serve())
