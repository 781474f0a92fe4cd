"""What a server answers, as completions of the OpenAI shape have it: a plain one, or a chunk of a stream."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import orjson

UNNAMED = ""
"""The finish reason of a plain answer that has no such field: the end of its JSON says that it is whole."""
REASONING = ("reasoning_content", "reasoning")


class BadAnswer(ValueError):
    """The body cannot be read as a completion of the OpenAI shape."""


class ErrorAnswer(BadAnswer):
    """An answer of 2xx that says that it failed."""


class Said(NamedTuple):
    """What an answer that ended said.

    ``reason`` is its finish reason, ``None`` if it is null or a stream has none. ``tokens`` are those that the server ``counted``, else
    those that were seen to come, ``None`` if neither is known. ``visible``: text or reasoning came.
    """

    text: str
    visible: bool
    reason: str | None
    tokens: int | None
    counted: bool = False


def first_choice(chunk: dict[str, Any]) -> dict[str, Any] | None:
    """Return the choice of index 0 of a completion, or of a chunk of one; ``None`` if it has none, as one with usage only.

    Raises:
        BadAnswer: the choices are none of a completion.

    """
    choices = chunk.get("choices") or []
    if not isinstance(choices, list):
        raise BadAnswer("choices is no list")
    for choice in choices:
        if not isinstance(choice, dict):
            raise BadAnswer("choices is no list of objects")
        if not choice.get("index"):
            if "text" not in choice and ("message" in choice or "delta" in choice):
                raise BadAnswer("choices[0] is of the chat API, a completion was asked for")
            return choice
    return None


def text_of(choice: dict[str, Any]) -> str:
    """Return the text of a choice, empty if it is null or absent; raises :class:`BadAnswer` if it is no string."""
    text = choice.get("text")
    if text is not None and not isinstance(text, str):
        raise BadAnswer("choices[0].text is no string")
    return text or ""


def reasons_aloud(choice: dict[str, Any]) -> bool:
    """Tell whether a choice holds text of reasoning."""
    return any(choice.get(name) for name in REASONING)


def reason_of(choice: dict[str, Any]) -> str | None:
    """Return the finish reason of a choice, ``None`` if it is null, empty or absent."""
    reason = choice.get("finish_reason")
    return str(reason) if reason else None


def usage_tokens(chunk: dict[str, object]) -> int | None:
    """Return ``usage.completion_tokens``, if it is there and a count that the history can hold."""
    usage = chunk.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) and 0 <= count < 2**31 else None


def parse(data: bytes | bytearray) -> dict[str, object]:
    """Parse a JSON object; raises :class:`BadAnswer` if it is none.

    Python's parser has the second word: it takes NaN and halves of surrogate pairs, which servers write.
    """
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            parsed = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BadAnswer(f"not JSON: {_quoted(data) or 'nothing'}") from error
    if not isinstance(parsed, dict):
        raise BadAnswer(f"not a JSON object: {_quoted(data)}")
    return parsed


def read_plain(body: bytes | bytearray) -> Said:
    """Read a plain answer.

    Raises:
        BadAnswer: it is no completion; an :class:`ErrorAnswer` if it says that it failed.

    """
    answer = parse(body)
    if (error := error_in(answer)) is not None:
        raise ErrorAnswer(error)
    choice = first_choice(answer)
    if choice is None:
        raise BadAnswer(f"no choices: {_quoted(body)}")
    reason = reason_of(choice) if "finish_reason" in choice else UNNAMED
    text, tokens = text_of(choice), usage_tokens(answer)
    return Said(text, bool(text) or reasons_aloud(choice), reason, tokens, counted=tokens is not None)


def paired(text: str) -> str:
    """Return ``text`` with each surrogate pair that came in two halves joined to its character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def in_one_line(text: str, longest: int = 200) -> str:
    """Return the first line of ``text`` that says anything, at most ``longest`` characters of it."""
    return (text.strip().splitlines() or [""])[0][:longest]


def error_in(answer: dict[str, Any]) -> str | None:
    """Return what an answer says of its failure; ``None`` if it says nothing of one, as ``"error": null`` does."""
    error = answer.get("error")
    if isinstance(error, dict) and error:
        return str(error.get("message") or error)
    if error:
        return str(error)
    message = None if answer.get("choices") else answer.get("message") or answer.get("detail")
    return str(message) if message else None


def first_line(body: bytes | bytearray) -> str:
    """Return what an error answer says, in one line: long enough that a secret in what is shown of it is not cut in two."""
    try:
        text = error_in(parse(body))
    except BadAnswer:
        text = None
    return _quoted(body) if text is None else in_one_line(text, longest=4000)


def _quoted(body: bytes | bytearray) -> str:
    """Return the first line of ``body``, for what is nothing that could be read."""
    return in_one_line(bytes(body[:4000]).decode("utf-8", "replace"), longest=4000)
