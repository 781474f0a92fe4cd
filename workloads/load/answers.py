"""What a server answers, read as its bytes arrive: a plain completion or a stream of server-sent events."""

from __future__ import annotations

from typing import Any

import orjson

DONE = b"[DONE]"


class BadAnswer(ValueError):
    """The body is not a completion of the OpenAI shape."""


def first_choice(chunk: Any) -> str:  # noqa: ANN401 - parsed JSON
    """Return ``choices[0].text`` of a completion, or of a chunk of one; a chunk without choices (usage only) has no text."""
    try:
        choices = chunk["choices"]
        text = choices[0]["text"] if choices else ""
    except (TypeError, KeyError, IndexError) as error:
        raise BadAnswer("no choices[0].text") from error
    if not isinstance(text, str):
        raise BadAnswer("choices[0].text is no string")
    return text


def usage_tokens(chunk: dict[str, object]) -> int | None:
    """Return ``usage.completion_tokens``, if it is there and a count that the history can hold."""
    usage = chunk.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) and 0 <= count < 2**31 else None


def parse(data: bytes | bytearray) -> dict[str, object]:
    """Parse a JSON object; raises :class:`BadAnswer` if it is none."""
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadAnswer("not JSON") from error
    if not isinstance(parsed, dict):
        raise BadAnswer("not a JSON object")
    return parsed


class TokenStream:
    """The events of one streamed completion (``data: {chunk}`` lines, then ``data: [DONE]``), fed as they arrive.

    Attributes:
        text: what the chunks said so far, joined.
        chunks: chunks that carried text.
        first_ns: when the first of them arrived (ns), ``None`` before.
        gap_ns: longest silence between chunks, and between the last one and ``[DONE]`` (ns).
        done_ns: when ``[DONE]`` was seen (ns), ``None`` before.
        error: the server's own message that the stream failed, if it sent one.

    """

    __slots__ = ("_last_ns", "_pending", "chunks", "done_ns", "error", "first_ns", "gap_ns", "text", "tokens")

    def __init__(self) -> None:
        self._pending = b""
        self._last_ns = 0
        self.text, self.chunks, self.gap_ns = "", 0, 0
        self.first_ns: int | None = None
        self.tokens: int | None = None
        self.done_ns: int | None = None
        self.error: str | None = None

    def feed(self, data: bytes | bytearray, t_ns: int) -> None:
        """Take in bytes that arrived at ``t_ns``; raises :class:`BadAnswer` at a chunk that is no completion chunk."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._event(line[5:].strip(), t_ns)

    def end(self, t_ns: int) -> None:
        """Count the silence between the last token and the end of the answer (ns), however it ended."""
        if self.first_ns is not None and self.done_ns is None:
            self._heard(t_ns)

    def _event(self, data: bytes, t_ns: int) -> None:
        if data == DONE:
            self.end(t_ns)
            self.done_ns = t_ns
            return
        chunk = parse(data)
        if "error" in chunk:
            self.error = message_of(chunk)
            return
        self.tokens = usage_tokens(chunk) or self.tokens
        if text := first_choice(chunk):
            self._token(text, t_ns)

    def _token(self, text: str, t_ns: int) -> None:
        if self.first_ns is None:
            self.first_ns = self._last_ns = t_ns
        self._heard(t_ns)
        self.text += text
        self.chunks += 1

    def _heard(self, t_ns: int) -> None:
        self.gap_ns = max(self.gap_ns, t_ns - self._last_ns)
        self._last_ns = t_ns


def in_one_line(text: str, longest: int = 200) -> str:
    """Return the first line of ``text`` that says anything, at most ``longest`` characters of it."""
    return (text.strip().splitlines() or [""])[0][:longest]


def message_of(answer: dict[str, object]) -> str:
    """Return the message of an OpenAI-style error object ``{"error": {"message": …}}``."""
    error = answer.get("error")
    return str(error.get("message", "")) if isinstance(error, dict) else str(error)


def first_line(body: bytes | bytearray) -> str:
    """Return what an error answer says, in one line: long enough that a secret in what is shown of it is not cut in two."""
    try:
        answer = parse(body)
        text = message_of(answer) if "error" in answer else str(answer.get("message") or answer.get("detail") or "")
    except BadAnswer:
        text = bytes(body[:4000]).decode("utf-8", "replace")
    return in_one_line(text, longest=4000)
