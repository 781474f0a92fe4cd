"""A scripted LLM platform on loopback: three replicas behind one address, one fault, and an account of who was hurt.

``python -m testing.load.llm_platform --script '{"kind": "freeze", "at_s": 40, "for_s": 8}' --log truth.json`` prints its port and
streams ``POST …/v1/completions``: a first token after ``--ttft``, then a token every ``--token`` seconds, as many as were asked for. The
clock of the script starts with the first request.

Kinds: ``refuse`` (503 to whoever asks meanwhile), ``freeze`` (nobody gets a byte), ``kill`` (the streams of one replica are cut, and it is
left out from then on), ``abort`` (``count`` streams end with finish reason ``abort``).

The log is the truth for a verdict: ``{"kind", "begin_ns", "end_ns", "under_way": [ids], "hurt": {id: reason}}``, times of
:mod:`history.clock`. Who is hurt is decided here, by what was sent and when, against ``--slo-ttft`` and ``--slo-gap``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
from dataclasses import asdict, dataclass
from pathlib import Path

from history.clock import now_ns
from testing.load.http import Asked, bound, chunk, read_request, send

REPLICAS = ("replica-0", "replica-1", "replica-2")
DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Script:
    """What happens (s after the first request), and when it really did (ns UTC)."""

    kind: str
    at_s: float
    for_s: float = 0.0
    count: int = 0
    begin_ns: int | None = None
    end_ns: int | None = None


@dataclass(slots=True)
class Answer:
    """One answer under way; it knows how it served its user so far."""

    asked: Asked
    pod: str
    arrived_ns: int
    writer: asyncio.StreamWriter
    last_ns: int = 0  # of its last token
    ttft_s: float = 0.0
    gap_s: float = 0.0
    ordered: str = ""  # how it is to end early: cut, abort

    def token(self, t_ns: int) -> None:
        """Count one token that is sent at ``t_ns``."""
        if self.last_ns:
            self.gap_s = max(self.gap_s, (t_ns - self.last_ns) / 1e9)
        else:
            self.ttft_s = (t_ns - self.arrived_ns) / 1e9
        self.last_ns = t_ns


class Platform:
    """Serves, and carries out its script."""

    def __init__(self, script: Script, options: argparse.Namespace) -> None:
        self._script, self._options = script, options
        self._rng = random.Random(options.seed)  # noqa: S311 - reproducible, not secret
        self._open: dict[str, Answer] = {}
        self._hurt: dict[str, str] = {}
        self._under_way: list[str] = []
        self._pods, self._turn = list(REPLICAS), 0
        self._flowing, self._started = asyncio.Event(), asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self._socket = bound(options.port)

    async def play(self) -> None:
        """Listen, carry out the script, then serve until cancelled."""
        await asyncio.start_server(self._converse, sock=self._socket, backlog=1024)
        print(json.dumps({"port": self._socket.getsockname()[1], "pid": os.getpid()}), flush=True)
        await self._started.wait()
        await asyncio.sleep(self._script.at_s)
        self._script.begin_ns, self._under_way = now_ns(), list(self._open)
        await getattr(self, f"_{self._script.kind}")()
        self._script.end_ns = now_ns()
        self.write_log()
        await asyncio.get_running_loop().create_future()

    async def _refuse(self) -> None:
        self._refusing = True
        await asyncio.sleep(self._script.for_s)
        self._refusing = False

    async def _freeze(self) -> None:
        self._flowing.clear()
        await asyncio.sleep(self._script.for_s)
        self._flowing.set()

    async def _kill(self) -> None:
        gone = self._pods.pop(0)
        for answer in [one for one in self._open.values() if one.pod == gone]:
            answer.ordered = "cut"
            answer.writer.transport.abort()

    async def _abort(self) -> None:
        for answer in list(self._open.values())[: self._script.count]:
            answer.ordered = "abort"

    def write_log(self) -> None:
        """Write what has happened so far, whole or not at all."""
        part = self._options.log.with_suffix(".part")
        part.write_text(json.dumps(asdict(self._script) | {"under_way": self._under_way, "hurt": self._hurt}))
        part.rename(self._options.log)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, request after request."""
        try:
            while asked := await read_request(reader):
                self._started.set()
                await self._serve(asked, writer)
        except ConnectionError:
            pass  # cut off by script, or the client left
        finally:
            writer.close()

    async def _serve(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            self._note(asked.request_id, "refused")
            await send(writer, 503, {"error": {"message": "no healthy upstream"}})
            return
        self._turn += 1
        answer = Answer(asked, self._pods[self._turn % len(self._pods)], now_ns(), writer)
        self._open[asked.request_id] = answer
        try:
            await self._stream(answer)
        finally:
            del self._open[asked.request_id]
            self._judge(answer)

    async def _stream(self, answer: Answer) -> None:
        token_s = self._rng.uniform(*self._options.token)
        wait_s = self._rng.uniform(*self._options.ttft)
        headers = f"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\nx-pod: {answer.pod}"
        for number in range(answer.asked.max_tokens):
            await asyncio.sleep(token_s if number else wait_s)
            await self._flowing.wait()
            if not number:
                answer.writer.write(f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode())
            last = number == answer.asked.max_tokens - 1
            reason = "abort" if answer.ordered else "length" if last else None
            answer.token(now_ns())
            answer.writer.write(chunk(_event(" word" if not answer.ordered else "", reason)))
            await answer.writer.drain()
            if answer.ordered:
                break
        answer.writer.write(chunk(DONE) + b"0\r\n\r\n")
        await answer.writer.drain()

    def _judge(self, answer: Answer) -> None:
        if answer.ordered:
            self._note(answer.asked.request_id, answer.ordered)
        elif answer.ttft_s > self._options.slo_ttft:
            self._note(answer.asked.request_id, "late")
        elif answer.gap_s > self._options.slo_gap:
            self._note(answer.asked.request_id, "stalled")

    def _note(self, request_id: str, reason: str) -> None:
        self._hurt[request_id] = reason
        if self._script.end_ns is not None:
            self.write_log()


def _event(text: str, reason: str | None) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "text": text, "finish_reason": reason}]}).encode() + b"\n\n"


def _span(text: str) -> tuple[float, float]:
    low, high = map(float, text.split(","))
    return low, high


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m testing.load.llm_platform")
    parser.add_argument("--script", type=json.loads, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ttft", type=_span, default=(0.3, 2.0), metavar="LOW,HIGH")
    parser.add_argument("--token", type=_span, default=(0.02, 0.05), metavar="LOW,HIGH")
    parser.add_argument("--slo-ttft", type=float, default=3.0)
    parser.add_argument("--slo-gap", type=float, default=1.0)
    options = parser.parse_args()
    await Platform(Script(**options.script), options).play()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(_main())
