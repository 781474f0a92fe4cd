"""What a server answers, as completions and chats of the OpenAI shape have it: a plain answer, or a chunk of a stream."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple, Protocol

import orjson

from workloads.load.finish_reasons import UNNAMED, reason_of

ALOUD = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "tool_calls", "function_call", "refusal", "audio", "token_ids")
"""Fields beside the text that show a user progress."""

ERRORS = ("message", "detail", "errors", "error_message", "errorMessage", "error_msg")
"""Fields in which answers that hold no completion say why."""
OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Control characters, and invisible changes of direction."""


class BadAnswer(ValueError):
    """The body cannot be read as an answer of the API that was asked."""


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


def usage_tokens(chunk: dict[str, object]) -> int | None:
    """Return ``usage.completion_tokens``, if it is there and a count that the history can hold."""
    usage = chunk.get("usage")
    return count_of(usage.get("completion_tokens")) if isinstance(usage, dict) else None


def count_of(value: object) -> int | None:
    """Return a number of tokens, ``None`` if it is none that the history can hold."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


class Part(NamedTuple):
    """What an answer or a chunk says: its text, whether a user sees progress, its finish reason (``None``: none yet)."""

    text: str
    visible: bool
    reason: str | None


class Reader(Protocol):
    """Reads the answers of one API."""

    @property
    def says_done(self) -> bool:
        """Whether a stream ends with ``[DONE]`` and is cut without; otherwise it ends with its HTTP answer."""

    @property
    def says_reason(self) -> bool:
        """Whether a stream says why it ended and is cut without; otherwise its end alone says that it is whole."""

    def served(self, answer: dict[str, Any]) -> bool:
        """Tell whether an answer holds what answers of this API hold, so that a message beside it is no error."""

    def plain(self, answer: dict[str, Any]) -> Part | None:
        """Return what a plain answer says, ``None`` if it is none; raises :class:`BadAnswer` if it is one of another API."""

    def chunk(self, chunk: dict[str, Any]) -> Part | None:
        """Return what a chunk of a stream says, ``None`` if it says nothing of the answer; raises :class:`BadAnswer` as well."""

    def tokens(self, answer: dict[str, Any]) -> int | None:
        """Return how many tokens the server counted, ``None`` if it does not say so."""


class OpenAi:
    """Reads completions, or chats: the choice of index 0 counts."""

    says_done: Final = True
    says_reason: Final = True

    def __init__(self, *, chat: bool) -> None:
        self._chat, self._text = chat, "content" if chat else "text"

    def served(self, answer: dict[str, Any]) -> bool:
        """Tell whether it has choices."""
        return bool(answer.get("choices"))

    def plain(self, answer: dict[str, Any]) -> Part | None:
        """Read the choice of an answer."""
        choice = self._choice(answer)
        if choice is None:
            return None
        part = self._part(choice)
        return part if "finish_reason" in choice else part._replace(reason=UNNAMED)

    def chunk(self, chunk: dict[str, Any]) -> Part | None:
        """Read the choice of a chunk; one with usage only has none."""
        choice = self._choice(chunk)
        return None if choice is None else self._part(choice)

    tokens = staticmethod(usage_tokens)

    def _choice(self, chunk: dict[str, Any]) -> dict[str, Any] | None:
        choices = chunk.get("choices") or []
        if not isinstance(choices, list):
            raise BadAnswer("choices is no list")
        for choice in choices:
            if not isinstance(choice, dict):
                raise BadAnswer("choices is no list of objects")
            if not choice.get("index"):
                return choice
        return None

    def _part(self, choice: dict[str, Any]) -> Part:
        holder = choice if "text" in choice and not self._chat else self._holder(choice)
        text, reason = holder.get(self._text), reason_of(choice.get("finish_reason"))
        if choice.get("error"):
            raise ErrorAnswer(error_in(choice))
        if text and isinstance(text, str):
            return Part(text, visible=True, reason=reason)
        if isinstance(text, list) and all(isinstance(part, dict) for part in text):
            return Part(_text_in(text), visible=bool(text), reason=reason)
        if text is not None and not isinstance(text, str):
            raise BadAnswer(f"{self._text} of choices[0] is no string")
        return Part("", any(holder.get(name) for name in ALOUD), reason)

    def _holder(self, choice: dict[str, Any]) -> dict[str, Any]:
        """Return what holds the text: the choice itself, or its message or delta in a chat."""
        holder = choice.get("message") or choice.get("delta")
        if not self._chat:
            if "text" not in choice and ("message" in choice or "delta" in choice):
                raise BadAnswer("choices[0] is of the chat API, a completion was asked for")
            return choice
        if holder is None and "text" in choice:
            raise BadAnswer("choices[0] is of the completions API, a chat was asked for")
        if holder is not None and not isinstance(holder, dict):
            raise BadAnswer("choices[0] holds no message")
        return holder or {}


def _text_in(parts: list[dict[str, Any]]) -> str:
    """Return the text of content that comes in typed parts (Mistral, Databricks); what it thinks is none of it."""
    said = [part.get("text") for part in parts if part.get("type", "text") == "text"]
    return "".join(text for text in said if isinstance(text, str))


def parse(data: bytes | bytearray, *, replace: bool = False) -> dict[str, object]:
    """Parse a JSON object; raises :class:`BadAnswer` if it is none. ``replace``: what is no UTF-8 becomes U+FFFD, as in events.

    Python's parser has the second word: it takes NaN and halves of surrogate pairs, which servers write.
    """
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            parsed = json.loads(data.decode("utf-8", "replace") if replace else data)
        except (ValueError, RecursionError) as error:
            raise BadAnswer(f"not JSON: {_quoted(data) or 'nothing'}") from error
    if not isinstance(parsed, dict):
        raise BadAnswer(f"not a JSON object: {_quoted(data)}")
    return parsed


COMPLETIONS, CHAT = OpenAi(chat=False), OpenAi(chat=True)


def read_plain(body: bytes | bytearray, reader: Reader = COMPLETIONS) -> Said:
    """Read a plain answer.

    Raises:
        BadAnswer: it is none of the API that was asked; an :class:`ErrorAnswer` if it says that it failed.

    """
    answer = parse(body)
    if (error := error_in(answer, served=reader.served(answer))) is not None:
        raise ErrorAnswer(error)
    part = reader.plain(answer)
    if part is None:
        raise BadAnswer(f"no answer in it: {_quoted(body)}")
    tokens = reader.tokens(answer)
    return Said(part.text, part.visible, part.reason, tokens, counted=tokens is not None)


def paired(text: str) -> str:
    """Return ``text`` with each surrogate pair that came in two halves joined to its character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def in_one_line(text: str, longest: int = 200) -> str:
    """Return the first line of ``text`` that says anything, at most ``longest`` characters of it."""
    return (text.strip().splitlines() or [""])[0][:longest]


def printable(text: str) -> str:
    r"""Return ``text`` with what a terminal would obey, or show in another order, spelled out: ``\x1b``, ``\u202e``."""
    return OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def error_in(answer: dict[str, Any], *, served: bool = False) -> str | None:
    """Return what an answer says of its failure; ``None`` if it says nothing of one, as ``"error": null`` does.

    ``served``: it holds a completion, so that a message beside it is none of a failure.
    """
    error = answer.get("error")
    if isinstance(error, dict) and error:
        return str(error.get("message") or error)
    if error:
        return str(error)
    said = () if served else (answer.get(name) for name in ERRORS)
    return next((str(message) for message in said if message), None)


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
