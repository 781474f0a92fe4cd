"""Every setting of API and consumers, read once from environment variables of the same name in capitals."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from workloads.environment import demand_no_less_than_0, demand_positive, read_settings


class Acknowledge(StrEnum):
    """When a consumer takes a job out of the queue."""

    LAST = "last"
    """When it has ended: until then another consumer can take it over (hardened)."""
    FIRST = "first"
    """Before work on it begins: if its consumer is lost, nobody knows of it any more."""


class Unreadable(StrEnum):
    """What a consumer does with an entry that leads to no job."""

    DEAD_LETTER = "dead-letter"
    """It is set aside (hardened)."""
    CRASH = "crash"
    """The consumer dies of it, and the entry waits for the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one process; times in seconds unless the name says otherwise."""

    host: str = "0.0.0.0"  # noqa: S104  a container serves its pod's address
    port: int = 8300
    pod_name: str = "local"
    """The name under which a consumer takes work: each its own. The Downward API sets it."""
    redis_url: str = "redis://127.0.0.1:6379/0"
    redis_timeout_s: float = 2.0
    """How long one command may take; the user is answered 503 after that."""
    engine_url: str = "http://127.0.0.1:8000"
    """Where completions are asked for: the gateway."""
    engine_timeout_s: float = 10.0
    queue_limit: int = 1000
    """Jobs that were accepted and have not ended; one more is answered 429 with Retry-After."""
    largest_bytes: int = 65_536
    """Of a request's body."""
    result_ttl_s: int = 86_400
    """How long a job can be asked for after its end."""
    reclaim_s: float = 5.0
    """A job whose consumer has not been heard of for so long is given to another one."""
    max_deliveries: int = 4
    """So often work on a job is begun; then it is a poison message, and goes to the dead letters."""
    acknowledge: Acknowledge = Acknowledge.LAST
    unreadable: Unreadable = Unreadable.DEAD_LETTER
    retry_s: float = 0.5
    """How long a consumer pauses before it asks an engine, or Redis, that was not there."""

    def __post_init__(self) -> None:
        demand_positive(
            self, "redis_timeout_s", "engine_timeout_s", "queue_limit", "largest_bytes", "result_ttl_s", "reclaim_s", "max_deliveries"
        )
        demand_no_less_than_0(self, "retry_s")

    @property
    def renew_s(self) -> float:
        """How often a consumer says that it is still at work: a job is taken from it only after three times were missed."""
        return self.reclaim_s / 3


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return what is set; the rest keeps its default. Raises SettingRefused."""
    return read_settings(Settings, environment)
