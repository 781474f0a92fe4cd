"""What a completions server answers that behaves as real ones do: parts of a stream, or a plain answer, by the name of a behaviour.

Its model knows one answer, :data:`TOKENS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from testing.load.http import Asked

TOKENS = (" Paris", " is", " the", " capital", " of", " France", ",", " and")
TOKEN_S = 0.02
FAILED = {"error": {"message": "EngineCore encountered an issue", "code": 500}}

Answer = dict[str, Any]
Part = bytes | float
"""Bytes to be sent, or seconds to wait."""
STREAMS: dict[str, Callable[[Asked], Iterator[Part]]] = {}
PLAINS: dict[str, Callable[[Asked], Answer]] = {}


def choice(text: str | None, reason: object = None, **more: object) -> Answer:
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


def events(tokens: tuple[str, ...], reason: object = "length", pause_s: float = TOKEN_S) -> Iterator[Part]:
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
def reason_object(asked: Asked) -> Iterator[Part]:
    yield from events(tokens_of(asked), {"type": "length", "length": asked.max_tokens})


@plain
def reason_object_plain(asked: Asked) -> Answer:
    return choice("".join(tokens_of(asked)), {"type": "stop", "matched": 2})


@plain
def abort_object_plain(asked: Asked) -> Answer:
    return choice("".join(tokens_of(asked, 1 / 3)), {"type": "abort", "message": "Abort in waiting queue"})


@stream
def reason_null_text(asked: Asked) -> Iterator[Part]:
    for token in tokens_of(asked):
        yield event(choice(token, "null"))
    yield event(choice("", "eos_token"))


@stream
def abort_then_stop(asked: Asked) -> Iterator[Part]:
    yield from events(tokens_of(asked, 1 / 3), "abort")
    yield event(choice("", "stop"))


@stream
def only_pings(_asked: Asked) -> Iterator[Part]:
    yield b": ping\n\n"


@plain
def hidden_plain(asked: Asked) -> Answer:
    return choice("", "length") | usage(asked.max_tokens)


@plain
def error_to_obey_plain(_asked: Asked) -> Answer:
    return {"error": {"message": "\x1b[2J\x1b[31mred \u202egnp 显存不足"}}


@plain
def error_in_choice_plain(asked: Asked) -> Answer:
    return {"choices": [{"index": 0, "text": "", "finish_reason": "error", "error": {"code": 502, "message": "Provider disconnected"}}]}


@stream
def half_characters(asked: Asked) -> Iterator[Part]:
    for half in (b"\xe4\xbd", b"\xa0", *[b"a"] * (asked.max_tokens - 2)):
        yield b'data: {"choices":[{"index":0,"text":"' + half + b'"}]}\n\n'


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
