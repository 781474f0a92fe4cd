"""A job: one request that was accepted, and what became of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What an id may be: the client's own, or one that the API makes."""


class State(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    """It was answered; the result can be fetched."""
    FAILED = "failed"
    """The engine refused it for good, as it would have refused a user who waits."""
    DEAD = "dead"
    """Work on it was begun as often as is allowed and never came to an end; it is among the dead letters."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self in ENDS


ENDS = frozenset({State.DONE, State.FAILED, State.DEAD})


@dataclass(frozen=True, slots=True)
class Job:
    """A job as Redis has it; times by the clock of Redis (ms since 1970).

    ``attempts``: how often work on it was begun. ``cancelled_ms``: when the client said that it does not wait any more.
    """

    id: str
    state: State
    request: bytes
    accepted_ms: int
    attempts: int = 0
    cancelled_ms: int | None = None
    ended_ms: int | None = None
    result: bytes = b""

    @classmethod
    def of(cls, job_id: str, fields: Mapping[bytes, bytes]) -> "Job":
        """Return the job that a hash of Redis describes."""

        def number(name: bytes) -> int | None:
            return int(fields[name]) if name in fields else None

        return cls(
            id=job_id,
            state=State(fields[b"state"].decode()),
            request=fields[b"request"],
            accepted_ms=int(fields[b"accepted_ms"]),
            attempts=number(b"attempts") or 0,
            cancelled_ms=number(b"cancelled_ms"),
            ended_ms=number(b"ended_ms"),
            result=fields.get(b"result", b""),
        )

    def shown(self) -> dict[str, object]:
        """Return what a client is told of it."""
        return {
            "id": self.id,
            "state": self.state.value,
            "accepted_ms": self.accepted_ms,
            "attempts": self.attempts,
            "cancelled": self.cancelled_ms is not None,
            "ended_ms": self.ended_ms,
        }


@dataclass(frozen=True, slots=True)
class End:
    """How a job ended: one row of the stream in which each accepted id stands exactly once. ``place``: of the row."""

    place: str
    id: str
    state: State
    attempts: int
    accepted_ms: int
    ended_ms: int
    cancelled: bool

    @classmethod
    def of(cls, place: bytes, fields: Mapping[bytes, bytes]) -> "End":
        """Return the end that an entry of the stream says."""
        return cls(
            place=place.decode(),
            id=fields[b"id"].decode(),
            state=State(fields[b"state"].decode()),
            attempts=int(fields[b"attempts"]),
            accepted_ms=int(fields[b"accepted_ms"]),
            ended_ms=int(fields[b"ended_ms"]),
            cancelled=fields[b"cancelled"] == b"1",
        )


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was accepted and has not ended: how many, for how long the oldest (s), and how many dead letters there are."""

    depth: int
    oldest_s: float
    dead: int
