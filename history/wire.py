"""Messages between two machines of one run: lines of JSON, some of them followed by bytes of a file.

``{"file": NAME, "bytes": N}`` and N bytes are the next piece of that file; any other message is a line alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

PIECE_BYTES = 65_536
Message = dict[str, Any]


def line(**message: object) -> bytes:
    """Return a message that is a line alone."""
    return orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE)


def pieces(file: str, data: bytes) -> Iterator[bytes]:
    """Yield ``data`` as pieces of a file (of at most 64 KiB, so that nobody holds more of it), each with its announcement."""
    for start in range(0, len(data), PIECE_BYTES):
        part = data[start : start + PIECE_BYTES]
        yield line(file=file, bytes=len(part)) + part


class Messages:
    """What has arrived, taken apart."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._waiting: Message | None = None  # a piece whose bytes are not all here yet

    def feed(self, data: bytes) -> Iterator[tuple[Message, bytes]]:
        """Yield each message that ``data`` completes, with the bytes of its piece (none for a line alone).

        Raises ValueError: a line is not a JSON object.
        """
        self._held += data
        while True:
            message = self._waiting or self._line()
            if message is None:
                return
            size = int(message.get("bytes", 0))
            if len(self._held) < size:
                self._waiting = message
                return
            self._waiting = None
            yield message, self._take(size)

    def _line(self) -> Message | None:
        end = self._held.find(b"\n")
        if end < 0:
            return None
        text = self._take(end + 1)
        message = orjson.loads(text)
        if not isinstance(message, dict):
            raise ValueError(f"{text[:80]!r} is no message")  # noqa: TRY004 - what came over the wire is wrong, not an argument
        return message

    def _take(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken
