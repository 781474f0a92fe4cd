"""A completions server with outages by script: the ground truth for what a client must report.

``python -m testing.load.scripted_server --port 0 --script '[{"at_s": 2, "for_s": 1.5, "kind": "refuse"}]' --log truth.json`` prints
``{"port": …, "pid": …}`` and serves ``POST …/v1/completions`` (plain and streamed) on 127.0.0.1. The log holds what really happened:
``{"origin_ns", "seen", "outages": [{"kind", "at_s", "for_s", "share", "delay_s", "least", "begin_ns", "end_ns", "hit"}]}``, times of
:mod:`history.clock`, rewritten whole at every change. A request is hit if it arrives (whole) in ``[begin_ns, end_ns)``.

Kinds: ``refuse`` (the listener and every connection are closed), ``hang`` (no answer, ever), ``slow`` (``delay_s`` later), ``500``,
``truncated`` (half an answer, then closed), ``reset`` (RST instead of an answer), ``wrong`` (200, another text), ``unterminated`` (whole,
but a stream is closed after ``[DONE]`` without the end of its HTTP message: no harm to users).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from history.clock import now_ns
from testing.load.http import POD, Asked, bound, chunk, completion, head, read_request, reset, send, until_left

KINDS = ("refuse", "hang", "slow", "500", "truncated", "reset", "wrong", "unterminated")
POLL_S = 0.01
BACKLOG = 4096  # a stopped server's kernel still takes this many connections


@dataclass(slots=True)
class Outage:
    """One outage of the script (s from the origin) and when it really was (ns UTC); ``share`` of requests are hit.

    It lasts until ``least`` were hit, longer than ``for_s`` if need be: a machine that stood still meanwhile skips no outage.
    """

    at_s: float
    for_s: float
    kind: str
    share: float = 1.0
    delay_s: float = 1.0
    least: int = 0
    begin_ns: int | None = None
    end_ns: int | None = None
    hit: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r}; expected one of {KINDS}")

    @property
    def on(self) -> bool:
        """Tell whether it has begun and not ended."""
        return self.begin_ns is not None and self.end_ns is None


def completion_of(prompt: str, tokens: int) -> str:
    """Return the right answer to ``prompt``: one character a token, a prefix of every longer answer."""
    return hashlib.shake_128(prompt.encode()).hexdigest(tokens)[:tokens]


def write_prompts(path: Path, lengths: tuple[int, ...] = (8, 20, 60), longest: int = 64) -> Path:
    """Write a prompts file of one prompt a length, with the right answers of up to ``longest`` tokens."""
    prompts = [f"prompt {number} ".ljust(length, "x")[:length] for number, length in enumerate(lengths)]
    rows = [(number, prompt, completion_of(prompt, longest)) for number, prompt in enumerate(prompts)]
    lines = [json.dumps({"prompt_id": number, "prompt": prompt, "completion": text, "tokens": [*text]}) for number, prompt, text in rows]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


class ScriptedServer:
    """Answers, except when the script says otherwise."""

    def __init__(self, script: list[Outage], options: argparse.Namespace) -> None:
        self._script, self._options = script, options
        self._rng = random.Random(options.seed)  # noqa: S311 - reproducible, not secret
        self._writers: set[asyncio.StreamWriter] = set()
        self._listener: asyncio.Server | None = None
        self._started = asyncio.Event()
        self.origin_ns: int | None = None
        self.seen = 0
        # Bound, never listening: while the listener is closed nobody else can be given its port.
        self._reserved = bound(options.port)
        self.port: int = self._reserved.getsockname()[1]

    async def play(self) -> None:
        """Listen and carry out the script; then serve until cancelled."""
        await self._listen()
        if self._options.clock == "start":
            self._start_clock()
        print(json.dumps({"port": self.port, "pid": os.getpid()}), flush=True)
        await self._started.wait()
        edges = [(outage.at_s, outage, True) for outage in self._script] + [(o.at_s + o.for_s, o, False) for o in self._script]
        for at_s, outage, begins in sorted(edges, key=lambda edge: edge[0]):
            await asyncio.sleep(max(0.0, at_s - (now_ns() - (self.origin_ns or 0)) / 1e9))
            await (self._begin(outage) if begins else self._end(outage))
            self.write_log()
        await asyncio.get_running_loop().create_future()

    def _start_clock(self) -> None:
        if self.origin_ns is None:
            self.origin_ns = now_ns()
            self._started.set()

    async def _begin(self, outage: Outage) -> None:
        outage.begin_ns = now_ns()
        if outage.kind == "refuse" and self._listener:
            self._listener.close()
            for writer in list(self._writers):
                writer.transport.abort()

    async def _end(self, outage: Outage) -> None:
        while outage.hit < outage.least:
            await asyncio.sleep(POLL_S)
        if outage.kind == "refuse":
            await self._listen()
        outage.end_ns = now_ns()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._converse, sock=bound(self.port), backlog=BACKLOG)

    def write_log(self) -> None:
        """Write what has happened so far."""
        if self._options.log:
            log = {"origin_ns": self.origin_ns, "seen": self.seen}
            part = self._options.log.with_suffix(".part")
            part.write_text(json.dumps(log | {"outages": [asdict(outage) for outage in self._script]}, indent=1))
            part.rename(self._options.log)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, request after request."""
        self._writers.add(writer)
        try:
            while asked := await read_request(reader):
                self.seen += 1
                self._start_clock()
                await self._serve(asked, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left, or the script cut it off
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outage = next((o for o in self._script if o.on and self._rng.random() < o.share), None)
        if outage is None:
            await self._answer(asked, writer)
            return
        outage.hit += 1
        trouble: dict[str, Callable[[], Awaitable[None]]] = {
            "hang": lambda: until_left(reader),
            "slow": lambda: self._late(asked, writer, outage.delay_s),
            "500": lambda: send(writer, 500, {"error": {"message": "scripted failure", "type": "server_error"}}),
            "truncated": lambda: self._truncate(asked, writer),
            "reset": lambda: reset(writer),
            "wrong": lambda: self._answer(asked, writer, lambda text: text[::-1].swapcase() + "!"),
            "unterminated": lambda: self._answer(asked, writer, end=b""),
        }
        await trouble[outage.kind]()

    async def _late(self, asked: Asked, writer: asyncio.StreamWriter, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._answer(asked, writer)

    async def _answer(
        self, asked: Asked, writer: asyncio.StreamWriter, change: Callable[[str], str] = str, end: bytes = b"0\r\n\r\n"
    ) -> None:
        await asyncio.sleep(self._options.service_ms / 1e3)
        text = change(completion_of(asked.prompt, asked.max_tokens))
        if asked.stream:
            await self._tokens(text, writer)
            writer.write(chunk(b"data: [DONE]\n\n") + end)
            await writer.drain()
            if not end:
                raise ConnectionAbortedError("by script")
        else:
            await send(writer, 200, completion(text))

    async def _tokens(self, text: str, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, "text/event-stream", "transfer-encoding: chunked"))
        for token in text:
            await asyncio.sleep(self._options.token_ms / 1e3)
            writer.write(chunk(b"data: " + json.dumps({"choices": [{"index": 0, "text": token}]}).encode() + b"\n\n"))
            await writer.drain()

    async def _truncate(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        text = completion_of(asked.prompt, asked.max_tokens)
        if asked.stream:
            await self._tokens(text[: len(text) // 2], writer)
        else:
            body = json.dumps(completion(text)).encode()
            writer.write(head(200, "application/json", f"content-length: {len(body)}") + body[: len(body) // 2])
            await writer.drain()
        raise ConnectionAbortedError("by script")


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    server = ScriptedServer([Outage(**row) for row in json.loads(options.script)], options)
    task = asyncio.ensure_future(server.play())
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    await asyncio.wait([task])
    server.write_log()
    if not task.cancelled():
        task.result()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m testing.load.scripted_server", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--script", default="[]", help='JSON list of {"at_s", "for_s", "kind"[, "share", "delay_s", "least"]}')
    parser.add_argument("--log", type=Path, help="JSON file for what really happened")
    parser.add_argument("--clock", choices=("start", "first-request"), default="start", help="what at_s counts from")
    parser.add_argument("--service-ms", type=float, default=5.0, help="time before an answer, or before its first token")
    parser.add_argument("--token-ms", type=float, default=1.0, help="time between tokens of a stream")
    parser.add_argument("--seed", type=int, default=0, help="which requests a share < 1 hits")
    parser.add_argument(
        "--real-time", action="store_true", help="run first, if permitted: what happens is the script's, not the neighbours'"
    )
    parser.add_argument("--pod", default=POD.get(), help="the pod that its answers say they are of")
    options = parser.parse_args()
    POD.set(options.pod)
    if options.real_time:
        with contextlib.suppress(AttributeError, OSError):  # no such policy here, or not permitted
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
