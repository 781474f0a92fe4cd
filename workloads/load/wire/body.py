"""Requests as bytes: what they have in common is encoded once, so that one costs two pieces of JSON and a join."""

from __future__ import annotations

import re
from typing import Any

import orjson

from history.errors import ConfigError
from history.workloads import Load
from workloads.load.wire.endpoint import Endpoint, request_target

PROMPT, PROMPT_INSIDE, MAX_TOKENS = 0, 1, 2
_MARK = "\0{}\0"  # no text that YAML can hold has a NUL
_MARKED = re.compile(rb'"\\u0000(\w+)\\u0000"|\\u0000(\w+)\\u0000')
_WRITTEN = re.compile(r"\{(prompt|model|max_tokens|stream)\}")
Piece = bytes | int


def body_of(load: Load) -> dict[str, Any]:
    """Return the body of a request as a template has it, with placeholders."""
    form = load.request
    if form.template is not None:
        return form.template.body
    asked: dict[str, Any] = {"prompt": "{prompt}"} if form.api == "completions" else {"messages": [{"role": "user", "content": "{prompt}"}]}
    to_the_end = {"ignore_eos": True} if form.ignore_eos else {}
    return {"model": "{model}", "temperature": 0, **to_the_end, **asked, "max_tokens": "{max_tokens}", "stream": "{stream}"}


class Body:
    """The body of a load's requests, streamed ones or plain ones."""

    __slots__ = ("_pieces", "_values")

    def __init__(self, load: Load, *, stream: bool) -> None:
        fixed = {"model": load.model, "stream": stream}
        pieces = _pieces(orjson.dumps(_filled(body_of(load), fixed)))
        self._values = [(place, piece) for place, piece in enumerate(pieces) if isinstance(piece, int)]
        self._pieces = [b"" if isinstance(piece, int) else piece for piece in pieces]

    def encode(self, prompt: str, max_tokens: int) -> bytes:
        """Return the body that asks for ``max_tokens`` tokens after ``prompt``."""
        quoted = orjson.dumps(prompt)
        pieces = self._pieces.copy()
        for place, value in self._values:
            pieces[place] = quoted if value == PROMPT else b"%d" % max_tokens if value == MAX_TOKENS else quoted[1:-1]
        return b"".join(pieces)


def _filled(value: Any, fixed: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return ``value`` with what is the same in each request filled in, and marks for the rest."""
    if isinstance(value, dict):
        return {key: _filled(part, fixed) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, fixed) for part in value]
    if not isinstance(value, str):
        return value
    if (alone := _WRITTEN.fullmatch(value)) and alone[1] in fixed:
        return fixed[alone[1]]
    return _WRITTEN.sub(lambda found: _text(fixed[found[1]]) if found[1] in fixed else _MARK.format(found[1]), value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _pieces(marked: bytes) -> tuple[Piece, ...]:
    """Return the bytes between the marks, and numbers of values in the marks' places."""
    pieces: list[Piece] = []
    at = 0
    for found in _MARKED.finditer(marked):
        alone, inside = found.groups()
        number = MAX_TOKENS if (alone or inside) == b"max_tokens" else PROMPT if alone else PROMPT_INSIDE
        pieces += [marked[at : found.start()], number]
        at = found.end()
    return (*pieces, marked[at:])


def request_head(endpoint: Endpoint, load: Load, credentials: dict[str, str], *, stream: bool) -> bytes:
    """Return the request line and the headers that requests share; the plan's own headers win over ours, credentials over both.

    Raises:
        ConfigError: a header holds a line break, which would end the headers or forge another.

    """
    method = load.request.template.method if load.request.template is not None else "POST"
    fields = {"host": endpoint.authority, "content-type": "application/json", "accept": "*/*", "accept-encoding": "identity"}
    fields |= {"user-agent": "aftershock-load"} | {name.lower(): value for name, value in load.headers.items()} | credentials
    if broken := [name for name, value in fields.items() if {"\r", "\n"} & set(name + value)]:
        raise ConfigError(f"header {broken[0]!r} holds a line break; remove it from load.headers or from the variable that holds it")
    target = request_target(endpoint, load, stream=stream)
    return "\r\n".join([f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), ""]).encode()
