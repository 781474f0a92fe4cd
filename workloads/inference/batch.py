"""Continuous batching: requests join the running batch between two steps and leave it when they are done.

Pure bookkeeping over a model with a KV cache of a fixed number of slots; the running requests always occupy slots 0 … n-1, in order.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from workloads.inference.wire import Generate, Token


class SlotModel(Protocol):
    """What a batch needs of a model; decoder.Decoder is one."""

    def prefill(self, slot: int, ids: list[int]) -> int:
        """Read a prompt into a slot, return the first token."""

    def decode(self, last: list[int], lengths: list[int]) -> list[int]:
        """One more token for each of the slots 0 … n-1."""

    def move(self, source: int, target: int) -> None:
        """Copy a slot's cache over another's."""


@dataclass(slots=True)
class Sequence:
    """A running request; its slot is its place in the list of running ones."""

    request: Generate
    last: int
    """Newest token, not in the cache yet."""
    cached: int
    """Tokens in the cache."""
    produced: int = 1

    @property
    def done(self) -> bool:
        """Whether the last token asked for is there."""
        return self.produced >= self.request.max_tokens


class Batch:
    """The requests of one engine: waiting in order of arrival, and running."""

    def __init__(self, model: SlotModel, slots: int, context: int, now_ns: Callable[[], int]) -> None:
        self._model, self._slots, self._context, self._now_ns = model, slots, context, now_ns
        self._waiting: deque[Generate] = deque()
        self._running: list[Sequence] = []
        self.steps = 0

    @property
    def running(self) -> int:
        """Requests that own a slot."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Requests without a slot yet."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether a step would do nothing."""
        return not self._running and not self._waiting

    @property
    def kv_usage(self) -> float:
        """Share of the cache's positions in use."""
        return sum(sequence.cached for sequence in self._running) / (self._slots * self._context)

    def add(self, request: Generate) -> None:
        """Queue a request; the caller has checked that prompt and answer fit into the context."""
        self._waiting.append(request)

    def abort(self, request_id: int) -> None:
        """Drop a request, waiting or running, and its slot."""
        self._waiting = deque(request for request in self._waiting if request.id != request_id)
        for slot, sequence in enumerate(self._running):
            if sequence.request.id == request_id:
                self._release(slot)
                return

    def step(self) -> list[Token]:
        """One token for every running request, after at most one waiting request was admitted.

        One admission a step keeps the running answers' gaps short: a prefill costs about three decode steps.
        """
        self.steps += 1
        tokens = self._decode() if self._running else []
        if self._waiting and len(self._running) < self._slots:
            tokens.append(self._admit(self._waiting.popleft()))
        for slot in reversed(range(len(self._running))):
            if self._running[slot].done:
                self._release(slot)
        return tokens

    def _decode(self) -> list[Token]:
        answers = self._model.decode([s.last for s in self._running], [s.cached for s in self._running])
        for sequence, token in zip(self._running, answers, strict=True):
            sequence.last, sequence.cached, sequence.produced = token, sequence.cached + 1, sequence.produced + 1
        return [Token(s.request.id, s.last, s.done) for s in self._running]

    def _admit(self, request: Generate) -> Token:
        queued_ns = self._now_ns() - request.arrived_ns
        sequence = Sequence(request, self._model.prefill(len(self._running), request.prompt), len(request.prompt))
        self._running.append(sequence)
        return Token(request.id, sequence.last, sequence.done, queued_ns)

    def _release(self, slot: int) -> None:
        """Free a slot; the last running sequence moves into the gap."""
        last = len(self._running) - 1
        if slot != last:
            self._model.move(last, slot)
            self._running[slot] = self._running[last]
        self._running.pop()
