"""A completions server that answers as real ones do: the first part of the path names how.

``python -m testing.load.llm_server`` prints ``{"port": …}`` and serves ``POST /BEHAVIOUR[.CUT]/v1/completions`` on 127.0.0.1 until it is
ended. Behaviours: :mod:`testing.load.llm_answers`. ``.CUT`` says how a streamed answer that went wrong ends: ``done`` (``[DONE]`` and the
end of its HTTP message follow), ``end`` (the end of the message alone), ``closed`` (neither), ``reset`` (by RST).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

from testing.load.http import bound, chunk, head, read_request, reset
from testing.load.llm_answers import PLAINS, STREAMS, TOKEN_S, Part
from testing.load.program import program

DONE = b"data: [DONE]\n\n"
ENDS_OF_MESSAGE = ("", "done", "end")


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
