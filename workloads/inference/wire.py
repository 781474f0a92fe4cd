"""What API and engine say to each other: JSON over two ZeroMQ push/pull pairs on local sockets.

API  --(generate, abort, stop)-->  engine
API  <--(report)----------------   engine      after every step, and every heartbeat when idle
"""

from dataclasses import dataclass
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True)
class Generate:
    """Answer ``prompt`` with ``max_tokens`` greedy tokens."""

    id: int
    prompt: list[int]
    max_tokens: int
    arrived_ns: int
    """CLOCK_MONOTONIC, which both processes share."""
    kind: str = "generate"


@dataclass(frozen=True, slots=True)
class Abort:
    """Forget a request, wherever it is; unknown ids are ignored (it may just have finished)."""

    id: int
    kind: str = "abort"


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave the main loop and exit 0."""

    kind: str = "stop"


Command = Generate | Abort | Stop
_COMMANDS: dict[str, type[Command]] = {"generate": Generate, "abort": Abort, "stop": Stop}


@dataclass(frozen=True, slots=True)
class Token:
    """One new token of one request."""

    id: int
    token: int
    last: bool
    queued_ns: int | None = None
    """On a request's first token: how long it had waited before its prefill began."""


@dataclass(frozen=True, slots=True)
class Report:
    """State of the engine's main loop and the tokens of its latest step."""

    progress: int
    """Turns of the main loop so far: a value that no longer moves is a frozen engine."""
    steps: int
    """Steps in which a model ran."""
    running: int
    waiting: int
    kv_usage: float
    """Share of the KV cache's positions in use, 0 to 1."""
    tokens: list[Token]


def encode(message: Command | Report) -> bytes:
    """Write a message as JSON."""
    return orjson.dumps(message)


def decode_command(data: bytes) -> Command:
    """Read a message on the engine's side."""
    fields = orjson.loads(data)
    return _COMMANDS[fields["kind"]](**fields)


def decode_report(data: bytes) -> Report:
    """Read a message on the API's side."""
    fields = orjson.loads(data)
    fields["tokens"] = [Token(**token) for token in fields["tokens"]]
    return Report(**fields)


def commands_address(folder: Path) -> str:
    """Where the engine listens for commands; a socket's path must be shorter than 108 bytes."""
    return f"ipc://{folder}/commands"


def reports_address(folder: Path) -> str:
    """Where the API listens for reports."""
    return f"ipc://{folder}/reports"
