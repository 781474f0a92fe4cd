"""A balancer of TCP connections, as a plain Service is: each new connection goes to the next backend, and all its bytes with it.

``python -m testing.load.tcp_balancer 8001 8002 8003`` prints ``{"port": …}`` and serves on 127.0.0.1 until it is terminated.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
from collections.abc import Iterator


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass  # one end is gone, so the other is closed
    finally:
        sink.close()


async def _carry(near: asyncio.StreamReader, to_near: asyncio.StreamWriter, turns: Iterator[int]) -> None:
    far, to_far = await asyncio.open_connection("127.0.0.1", next(turns))
    await asyncio.gather(_pump(near, to_far), _pump(far, to_near))


async def serve(ports: list[int]) -> None:
    """Serve until cancelled."""
    turns = itertools.cycle(ports)
    server = await asyncio.start_server(lambda near, to_near: _carry(near, to_near, turns), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m testing.load.tcp_balancer", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("ports", type=int, nargs="+", help="of the backends, on 127.0.0.1")
    asyncio.run(serve(parser.parse_args().ports))


if __name__ == "__main__":
    main()
