"""A stream of server-sent events, and the completion that it carries, read as its bytes arrive.

The standard's rules hold, and what real servers do besides is understood.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from workloads.load.answers import COMPLETIONS, BadAnswer, ErrorAnswer, Part, Reader, Said, error_in, first_line, parse
from workloads.load.finish_reasons import GIVEN_UP, UNNAMED

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DONE = b"[DONE]"
MESSAGES = frozenset({b"", b"message"})
"""Names of the events that hold chunks; those of other names may hold anything."""
STRAY_BYTES = 4_000  # what a server said outside any event is quoted, not kept whole


class StreamError(ErrorAnswer):
    """An event that says that the stream failed."""


class Event(NamedTuple):
    """One event: its name (empty: a plain message) and its data lines, joined."""

    name: bytes
    data: bytes


class EventReader:
    """Cuts bytes into events.

    Lines end with LF, CR LF or CR. An event ends with an empty line; one without data is none. ``data: [DONE]`` ends at once: some servers
    write no empty line after it. A line ``error: …`` (llama.cpp) is an event of that name.

    Attributes:
        stray: the first lines that are no field of an event: what a proxy or a page of HTML said in place of one.

    """

    __slots__ = ("_after_cr", "_data", "_name", "_pending", "stray")

    def __init__(self) -> None:
        self._pending, self._after_cr = b"", False
        self._name, self._data = b"", list[bytes]()
        self.stray = b""

    def feed(self, data: bytes | bytearray) -> list[Event]:
        """Return the events that ``data`` completes."""
        if self._after_cr and data.startswith(b"\n"):  # the second half of a CR LF
            data = data[1:]
            self._after_cr = False
        if not data:
            return []
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        else:
            self._after_cr = False
        *lines, self._pending = (self._pending + data).split(b"\n")
        return self._events(lines)

    def end(self) -> list[Event]:
        """Return what the end of the answer completes: servers leave the last line, or the empty one after it, without its end."""
        lines, self._pending = [self._pending, b""], b""
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[Event]:
        events = []
        for line in lines:
            if line.startswith(b"data:"):
                value = line[5:].strip()
                if value == DONE and not self._data:
                    events.append(Event(b"", value))
                else:
                    self._data.append(value)
            elif line:
                self._field(line.removeprefix(BYTE_ORDER_MARK))
            elif self._data or self._name:
                events += self._ended()
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        match name:
            case b"event":
                self._name = value.strip()
            case b"data":  # without a colon, or after a byte order mark
                self._data.append(value.strip())
            case b"error":
                self._name, self._data = name, [*self._data, value.strip()]
            case b"" | b"id" | b"retry":  # a comment, or what a client needs to connect again
                pass
            case _:
                self.stray = (self.stray + line + b"\n")[:STRAY_BYTES]

    def _ended(self) -> list[Event]:
        """Return the event that an empty line ends, if it has data."""
        name, data = self._name, b"\n".join(self._data)
        self._name, self._data = b"", []
        return [Event(name, data)] if data.strip() else []


class TokenStream:
    """The events of one streamed completion (``data: {chunk}``, then ``data: [DONE]``), fed as they arrive.

    Attributes:
        text: what the chunks said so far, joined.
        chunks: chunks with a choice, from the first that showed text or reasoning on: each tells of at least one token.
        first_ns: when the first of them arrived (ns), ``None`` before.
        gap_ns: longest silence between chunks with a choice, and between the last one and ``[DONE]`` (ns); a chunk without text counts,
            because an engine may hold tokens back.
        gap_end_ns: when that silence ended (ns), ``None`` before there was one.
        visible_gap_ns: as ``gap_ns``, between chunks with text or reasoning alone: what a reader sees.
        done_ns: when ``[DONE]`` was seen (ns), ``None`` before; what comes later is ignored.
        reason: the last finish reason of a chunk; that it was given up stays.

    """

    __slots__ = (
        "_api",
        "_last_ns",
        "_reader",
        "_seen_ns",
        "chunks",
        "done_ns",
        "first_ns",
        "gap_end_ns",
        "gap_ns",
        "reason",
        "text",
        "tokens",
        "visible_gap_ns",
    )

    def __init__(self, api: Reader = COMPLETIONS) -> None:
        self._api, self._reader, self._last_ns, self._seen_ns = api, EventReader(), 0, 0
        self.text, self.chunks, self.gap_ns, self.visible_gap_ns = "", 0, 0, 0
        self.gap_end_ns: int | None = None
        self.first_ns: int | None = None
        self.tokens: int | None = None
        self.done_ns: int | None = None
        self.reason: str | None = None

    def feed(self, data: bytes | bytearray, t_ns: int) -> None:
        """Take in bytes that arrived at ``t_ns``.

        Raises:
            BadAnswer: a message is no completion chunk; a :class:`StreamError` if it says that the stream failed.

        """
        for event in self._reader.feed(data):
            self._event(event, t_ns)

    def end(self, t_ns: int) -> None:
        """Take in a last line without its end, and count the silence before the end of the answer (ns), however it ended.

        Raises:
            BadAnswer: as in :meth:`feed`.

        """
        if self.done_ns is None:
            if self.first_ns is not None:
                self._heard(t_ns, visible=True)
            for event in self._reader.end():
                self._event(event, t_ns)

    def close(self, t_ns: int) -> None:
        """Take the whole HTTP answer's end at ``t_ns`` as the stream's, where the API has no ``[DONE]``."""
        if self.done_ns is None and not self._api.says_done and not self.stray:
            self.done_ns = t_ns

    def said(self) -> Said:
        """Return what the stream said, which has ended."""
        reason = self.reason if self._api.says_reason else self.reason or UNNAMED
        return Said(self.text, self.first_ns is not None, reason, self.tokens or self.chunks, counted=bool(self.tokens))

    @property
    def stray(self) -> bytes:
        """What came outside any event."""
        return self._reader.stray

    def _event(self, event: Event, t_ns: int) -> None:
        if self.done_ns is not None:
            return
        if event.data == DONE:
            if self.first_ns is not None:
                self._heard(t_ns, visible=True)
            self.done_ns = t_ns
        elif (chunk := chunk_of(event, self._api)) is not None:
            self.tokens = self._api.tokens(chunk) or self.tokens
            if (part := self._api.chunk(chunk)) is not None:
                self._part(part, t_ns)

    def _part(self, part: Part, t_ns: int) -> None:
        if part.reason and self.reason not in GIVEN_UP:
            self.reason = part.reason
        if self.first_ns is None:
            if not part.visible:
                return
            self.first_ns = self._last_ns = self._seen_ns = t_ns
        self._heard(t_ns, visible=part.visible)
        self.text += part.text
        if part.text or self.reason is None:  # the last chunk often says nothing but why
            self.chunks += 1

    def _heard(self, t_ns: int, *, visible: bool) -> None:
        """Count the silence that ends at ``t_ns``; the end of an answer ends what a reader saw of it, too."""
        if t_ns - self._last_ns > self.gap_ns:
            self.gap_ns, self.gap_end_ns = t_ns - self._last_ns, t_ns
        self._last_ns = t_ns
        if visible:
            self.visible_gap_ns = max(self.visible_gap_ns, t_ns - self._seen_ns)
            self._seen_ns = t_ns


def chunk_of(event: Event, api: Reader = COMPLETIONS) -> dict[str, Any] | None:
    """Return the chunk that an event holds; ``None`` if it is an event of another kind (a ping).

    Raises:
        BadAnswer: a message is not JSON.
        StreamError: the event says that the stream failed.

    """
    if event.name == b"error":
        raise StreamError(first_line(event.data))
    try:
        chunk = parse(event.data, replace=True)
    except BadAnswer:
        if event.name in MESSAGES:
            raise
        return None
    served = api.served(chunk)
    if served and not chunk.get("error"):
        return chunk
    if event.name not in MESSAGES and not chunk.get("error"):
        return None
    if (error := error_in(chunk, served=served)) is not None:
        raise StreamError(error)
    return chunk
