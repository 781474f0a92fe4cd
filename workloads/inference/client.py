"""The API's side of the engine: its process, the requests in flight, and the watch over its progress."""

import asyncio
import itertools
import logging
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import zmq
import zmq.asyncio

from workloads.inference import wire
from workloads.inference.metrics import ServerMetrics, Timeline
from workloads.inference.settings import Health, Settings

WATCH_PERIOD_S = 0.1
log = logging.getLogger("api")


class EngineState(StrEnum):
    """What the API knows of its engine."""

    LOADING = "loading"
    READY = "ready"
    STALLED = "stalled"
    DEAD = "dead"


class QueueFull(RuntimeError):
    """As many requests wait as may."""


class EngineUnavailable(RuntimeError):
    """The engine can't take or finish a request; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Failed:
    """End of a request without its remaining tokens."""

    reason: str


@dataclass(slots=True, eq=False)
class Handle:
    """A request in flight; its events are tokens and then, unless the last token came, one Failed."""

    id: int
    events: asyncio.Queue[wire.Token | Failed] = field(default_factory=asyncio.Queue)
    timeline: Timeline = field(default_factory=Timeline)


class EngineClient:
    """Starts the engine and speaks with it; every method runs on the API's event loop."""

    def __init__(self, settings: Settings, metrics: ServerMetrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._folder = Path(tempfile.mkdtemp(prefix="inference-"))
        self._ids = itertools.count(1)
        self._flights: dict[int, Handle] = {}
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._progress = -1
        self._progress_age_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self.state = EngineState.LOADING
        self.died = asyncio.Event()

    @property
    def progress_age_s(self) -> float:
        """Time since the engine's loop was last seen to move, as far as this process was running itself."""
        return self._progress_age_s

    async def start(self) -> None:
        """Open the sockets and start the engine; it reports when it is ready, `died` is set when its process ends."""
        context = zmq.asyncio.Context.instance()
        self._commands, self._reports = context.socket(zmq.PUSH), context.socket(zmq.PULL)
        self._commands.setsockopt(zmq.LINGER, 0)
        self._commands.bind(wire.commands_address(self._folder))
        self._reports.bind(wire.reports_address(self._folder))
        arguments = (sys.executable, "-m", "workloads.inference.engine", str(self._folder), str(os.getpid()))
        self._process = await asyncio.create_subprocess_exec(*arguments)
        self._tasks = [asyncio.create_task(work) for work in (self._receive(), self._watch_process(), self._watch_progress())]

    async def submit(self, prompt: list[int], max_tokens: int) -> Handle:
        """Hand a request to the engine; raises EngineUnavailable or QueueFull."""
        if self.state is not EngineState.READY:
            raise EngineUnavailable(f"the engine is {self.state}")
        if len(self._flights) >= self._settings.max_batch + self._settings.queue_limit:
            self._metrics.rejected()
            raise QueueFull(f"{self._settings.queue_limit} requests wait already")
        handle = Handle(next(self._ids))
        self._flights[handle.id] = handle
        self._emptied.clear()
        self._metrics.taken(len(prompt))
        await self._commands.send(wire.encode(wire.Generate(handle.id, prompt, max_tokens, time.monotonic_ns())))
        return handle

    async def abort(self, handle: Handle) -> None:
        """Forget the request of a user who has gone; does nothing when it has ended."""
        if handle.id in self._flights:
            self._fail(handle, "the client closed its connection", "abort")
            await self._commands.send(wire.encode(wire.Abort(handle.id)))

    async def drained(self, timeout_s: float) -> bool:
        """Wait until no request is in flight; False when the time was up first, and then the rest is failed."""
        try:
            await asyncio.wait_for(self._emptied.wait(), timeout_s)
        except TimeoutError:
            await self._fail_all("the server shut down before the answer was complete", "abort")
            return False
        return True

    async def stop(self) -> None:
        """End the engine, politely if it listens, and clear away the sockets."""
        self._tasks[1].cancel()  # its end is wanted now
        if self._process.returncode is None:
            await self._commands.send(wire.encode(wire.Stop()), zmq.NOBLOCK)
            try:
                await asyncio.wait_for(self._process.wait(), 1.0)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        for task in self._tasks:
            task.cancel()
        self._commands.close()
        self._reports.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _receive(self) -> None:
        """Hand tokens to their requests as reports come in."""
        while True:
            report = wire.decode_report(await self._reports.recv())
            self._metrics.reported(report)
            self._note_progress(report.progress)
            for token in report.tokens:
                self._deliver(token)

    def _note_progress(self, progress: int) -> None:
        if progress == self._progress:
            return
        self._progress, self._progress_age_s = progress, 0.0
        if self.state in (EngineState.LOADING, EngineState.STALLED):
            log.info("engine is ready (was %s)", self.state)
            self.state = EngineState.READY

    def _deliver(self, token: wire.Token) -> None:
        handle = self._flights.get(token.id)
        if handle is None:  # aborted while the engine worked on it
            return
        self._metrics.token(handle.timeline, token)
        handle.events.put_nowait(token)
        if token.last:
            self._forget(handle, "length")

    async def _watch_process(self) -> None:
        """Take the end of the engine's process for what it is, a failure of the replica: it never ends by itself."""
        code = await self._process.wait()
        log.error("engine process ended with exit code %s while it was %s; requests in flight fail", code, self.state)
        self.state = EngineState.DEAD
        await self._fail_all(f"the engine died (exit code {code})", "error")
        self.died.set()

    async def _watch_progress(self) -> None:
        """Age the engine's progress; too old, and the engine counts as stalled.

        Each turn adds at most two periods. If this process itself was stopped or starved, the engine's reports wait unread, and their
        age says nothing about the engine.
        """
        before = time.monotonic()
        while self.state is not EngineState.DEAD:
            await asyncio.sleep(WATCH_PERIOD_S)
            now = time.monotonic()
            self._progress_age_s += min(now - before, 2 * WATCH_PERIOD_S)
            before = now
            self._metrics.progress_age(self._progress_age_s)
            await self._judge_progress()

    async def _judge_progress(self) -> None:
        if self.state is EngineState.LOADING and self._progress_age_s > self._settings.startup_timeout_s:
            log.error("engine not ready after %.0f s (STARTUP_TIMEOUT_S), killing it", self._progress_age_s)
            self._process.kill()
        stalled = self._progress_age_s > self._settings.stall_timeout_s
        if self._settings.health is Health.PROGRESS and self.state is EngineState.READY and stalled:
            log.error("engine made no progress for %.1f s (STALL_TIMEOUT_S), failing %d requests", self._progress_age_s, len(self._flights))
            self.state = EngineState.STALLED
            await self._fail_all("the engine makes no progress", "error")

    async def _fail_all(self, reason: str, finished_reason: str) -> None:
        for handle in list(self._flights.values()):
            self._fail(handle, reason, finished_reason)
            if self.state is not EngineState.DEAD:
                await self._commands.send(wire.encode(wire.Abort(handle.id)))

    def _fail(self, handle: Handle, reason: str, finished_reason: str) -> None:
        handle.events.put_nowait(Failed(reason))
        self._forget(handle, finished_reason)

    def _forget(self, handle: Handle, finished_reason: str) -> None:
        del self._flights[handle.id]
        self._metrics.finished(finished_reason)
        if not self._flights:
            self._emptied.set()
