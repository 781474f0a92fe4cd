"""A server that costs as little as possible: every POST gets the same completion, so that only the load generator is measured.

``python -m bench.accuracy.trivial_server --cpu 1 --service-ms 5`` prints its port and serves on 127.0.0.1 until it is terminated.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from typing import cast

import uvloop

TEXT = "abcdefgh"
BODY = json.dumps({"choices": [{"index": 0, "text": TEXT}], "usage": {"completion_tokens": len(TEXT)}}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-pod: trivial\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
BACKLOG = 4096  # while it is stopped the kernel still takes connections


class Completions(asyncio.Protocol):
    """One connection: finds where requests end, looks at nothing else."""

    def __init__(self, service_s: float) -> None:
        self._service_s = service_s
        self._waiting = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class, of the same shape

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._waiting += data
        while (head := self._waiting.find(b"\r\n\r\n")) >= 0:
            field = self._waiting.lower().find(b"content-length:", 0, head)
            length = int(self._waiting[field + 15 : self._waiting.find(b"\r\n", field)]) if field >= 0 else 0
            end = head + 4 + length
            if len(self._waiting) < end:
                return
            self._waiting = self._waiting[end:]
            self._later()

    def _later(self) -> None:
        if self._service_s:
            asyncio.get_running_loop().call_later(self._service_s, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(ANSWER)


async def serve(service_s: float) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Completions(service_s), "127.0.0.1", 0, backlog=BACKLOG)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await ended.wait()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy.trivial_server", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cpu", type=int, help="the core to run on")
    parser.add_argument("--service-ms", type=float, default=0.0)
    options = parser.parse_args()
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    uvloop.run(serve(options.service_ms / 1e3))


if __name__ == "__main__":
    main()
