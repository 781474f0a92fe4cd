"""Jobs in Redis: a stream of what has not ended, a consumer group that shares it out, and a hash for each job.

What Redis has acknowledged is on its disk (``appendfsync always`` in its configuration). Every method raises Unavailable while Redis does
not answer; nobody knows then whether it did what it was asked, and all of them may be asked again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from workloads.async_inference import scripts
from workloads.async_inference.job import Backlog, End, Job, State

QUEUE, ENDS, DEAD, JOB = "jobs:queue", "jobs:ends", "jobs:dead", "jobs:job:"
GROUP = "consumers"
FORGOTTEN_MS = 3_600_000
MANY = 1000

P = ParamSpec("P")
R = TypeVar("R")


class Unavailable(RuntimeError):
    """Redis did not answer, or could not do what it was asked; the sentence is its own."""


class Submitted(StrEnum):
    """What became of a submission."""

    ACCEPTED = "accepted"
    FULL = "full"
    OTHER = "other"
    """The id is taken by another request."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in the queue, and the id that stands there."""

    place: str
    job_id: str


@dataclass(frozen=True, slots=True)
class Work:
    """A job to be worked on, for the ``attempt``-th time."""

    entry: Entry
    attempt: int
    request: bytes


def _answered(method: Callable[Concatenate["Store", P], R]) -> Callable[Concatenate["Store", P], R]:
    @wraps(method)
    def ask(self: "Store", /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except redis.RedisError as error:
            raise Unavailable(f"Redis: {error or type(error).__name__}") from error

    return ask


class Store:
    """Jobs in the Redis at ``url``. It is safe to share between threads."""

    def __init__(self, url: str, timeout_s: float, result_ttl_s: int = 86_400) -> None:
        # no silent second try: whoever asks decides, and a delivery is counted once
        self._redis = redis.Redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0), health_check_interval=0
        )
        self._ttl_s, self._timeout_s = result_ttl_s, timeout_s
        self._scripts = {
            name: self._redis.register_script(getattr(scripts, name))
            for name in ("SUBMIT", "BEGIN", "END", "CANCEL", "RENEW", "RELEASE", "TIDY")
        }

    def _run(self, name: str, job_id: str, *arguments: str | bytes | int) -> Any:  # noqa: ANN401 - what the script returns
        return self._scripts[name](keys=[QUEUE, ENDS, DEAD, JOB + job_id], args=list(arguments))

    @_answered
    def ready(self) -> None:
        """Make sure that the consumer group is there."""
        try:
            self._redis.xgroup_create(QUEUE, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):  # it is there
                raise

    @_answered
    def ping(self) -> None:
        """Ask for a sign of life, and whether it takes writes: a replica does not."""
        role: Any = self._redis.execute_command("ROLE")
        if role[0] != b"master":
            raise redis.RedisError(f"is a {role[0].decode()} and takes no writes")

    @_answered
    def submit(self, job_id: str, request: bytes, limit: int) -> Submitted:
        """Accept a job unless ``limit`` jobs have not ended."""
        return Submitted(self._run("SUBMIT", job_id, job_id, request, limit).decode())

    @_answered
    def job(self, job_id: str) -> Job | None:
        """Return a job; None: there is none of this id, or its end is long ago."""
        fields: Any = self._redis.hgetall(JOB + job_id)
        return Job.of(job_id, fields) if fields else None

    @_answered
    def cancel(self, job_id: str) -> bool:
        """Note that its client does not wait for a job any more; False: there is none of this id."""
        return bool(self._run("CANCEL", job_id))

    @_answered
    def take(self, consumer: str, reclaim_s: float, block_s: float) -> Entry | None:
        """Return what ``consumer`` is to work on: first what others left for ``reclaim_s``, then what nobody had. None: nothing yet."""
        _, left, *_ = self._claimed(consumer, int(reclaim_s * 1e3))
        found = left or self._new(consumer, int(block_s * 1e3))
        return _entry(*found[0]) if found else None

    def _claimed(self, consumer: str, idle_ms: int) -> Any:  # noqa: ANN401 - of the protocol
        return self._redis.xautoclaim(QUEUE, GROUP, consumer, min_idle_time=idle_ms, count=1)

    def _new(self, consumer: str, block_ms: int) -> Any:  # noqa: ANN401 - of the protocol
        found: Any = self._redis.xreadgroup(GROUP, consumer, {QUEUE: ">"}, count=1, block=block_ms)
        return next(iter(found.values()))[0] if isinstance(found, dict) and found else found[0][1] if found else []

    @_answered
    def begin(self, entry: Entry, max_deliveries: int) -> Work | None:
        """Count a delivery; None: there is nothing to do, since the job has ended, or this was one too many and it is a dead letter now."""
        said, attempt, *request = self._run("BEGIN", entry.job_id, GROUP, entry.place, entry.job_id, self._ttl_s, max_deliveries)
        return Work(entry, attempt, request[0]) if said == b"work" else None

    @_answered
    def forget(self, entry: Entry) -> None:
        """Take an entry out of the queue, whatever becomes of its job."""
        self._redis.xack(QUEUE, GROUP, entry.place)
        self._redis.xdel(QUEUE, entry.place)

    @_answered
    def end(self, entry: Entry, state: State, result: bytes) -> bool:
        """End a job; False: another consumer had, and its result stays."""
        return bool(self._run("END", entry.job_id, GROUP, entry.place, entry.job_id, self._ttl_s, state.value, result))

    @_answered
    def renew(self, entry: Entry, consumer: str) -> bool:
        """Say that ``consumer`` is still at work; False: the job was given to another one."""
        return bool(self._run("RENEW", entry.job_id, GROUP, entry.place, consumer))

    @_answered
    def release(self, entry: Entry, consumer: str) -> bool:
        """Give back what ``consumer`` did no work on; False: it was given to another one."""
        return bool(self._run("RELEASE", entry.job_id, GROUP, entry.place, consumer, FORGOTTEN_MS))

    @_answered
    def tidy(self) -> int:
        """Forget consumers that are long gone; return how many."""
        return int(self._run("TIDY", "", GROUP, FORGOTTEN_MS))

    @_answered
    def backlog(self) -> Backlog:
        """Return how much has not ended, how old the oldest of it is by the clock of Redis, and how many dead letters there are."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xlen(QUEUE)
            pipeline.xrange(QUEUE, count=1)
            pipeline.xlen(DEAD)
            pipeline.time()
            depth, oldest, dead, (now_s, now_us) = pipeline.execute()
        age_s = now_s + now_us / 1e6 - int(oldest[0][0].split(b"-")[0]) / 1e3 if oldest else 0.0
        return Backlog(depth, max(0.0, age_s), dead)

    @_answered
    def ends(self, after: str = "0") -> list[End]:
        """Return how jobs ended, in order, after a place; at most a thousand."""
        rows: Any = self._redis.xrange(ENDS, min=f"({after}", count=MANY)
        return [End.of(place, fields) for place, fields in rows]

    @_answered
    def letters(self) -> list[dict[str, str]]:
        """Return the dead letters, the newest first; at most a thousand."""
        rows: Any = self._redis.xrevrange(DEAD, count=MANY)
        return [_text(fields) for _, fields in rows]

    def close(self) -> None:
        """Close all connections."""
        self._redis.close()


def _entry(place: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """Return an entry; one that names no id gets none, and no job is found for it."""
    return Entry(place.decode(), fields.get(b"id", b"").decode(errors="replace"))


def _text(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
