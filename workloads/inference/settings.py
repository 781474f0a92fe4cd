"""Every setting of the model server, read once from environment variables of the same name in capitals.

The defaults are the hardened ones; a weak variant of the platform is the same server with one of them changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from workloads.environment import SettingRefused, demand_no_less_than_0, demand_positive, read_settings
from workloads.inference.weights import SHIPPED, WeightsCheck


class EngineDeath(StrEnum):
    """What the server does when its engine's process has ended."""

    EXIT = "exit"
    """It exits, and its container is started again (hardened)."""
    STAY = "stay"
    """It stays up without an engine, and answers 503."""


class Health(StrEnum):
    """What makes GET /health green once a server is not draining."""

    PROGRESS = "progress"
    """The engine is loaded, alive, and its main loop moves (hardened)."""
    PROCESS = "process"
    """The engine is loaded and its process has not exited: a frozen engine stays green, as in vLLM up to 0.19."""
    API_ONLY = "api-only"
    """The API process answers: green before the model is loaded and whatever the engine does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one replica; times in seconds unless the name says otherwise."""

    host: str = "0.0.0.0"  # noqa: S104  a container serves its pod's address
    port: int = 8000
    pod_name: str = "local"
    """Named in the x-pod header; the Downward API sets it."""
    model_name: str = "aftershock-ring"
    model_dir: Path = SHIPPED
    """Folder with model.safetensors and model.json; with model_urls, where they are put."""
    model_urls: str = ""
    """Where object stores have model.safetensors (http://…), separated by commas, asked in turn. Empty: it is in model_dir."""
    weights_check: WeightsCheck = WeightsCheck.DIGEST
    device_root: Path = Path("/dev/aftershock")
    """Where the device plugin puts a folder per allocated device."""
    max_batch: int = 8
    """Sequences decoded together; each has a slot of the KV cache."""
    queue_limit: int = 32
    """Requests that may wait beside the running ones; one more is answered 429 with Retry-After."""
    step_floor_ms: float = 0.0
    """Least duration of an engine step: a larger model's step time, spent asleep. 0: as fast as the model is."""
    health: Health = Health.PROGRESS
    heartbeat_s: float = 0.15
    """How often an idle engine reports its progress; a busy one reports after every step."""
    stall_timeout_s: float = 1.5
    """Engine progress older than this: /health is red and requests in flight are failed."""
    startup_timeout_s: float = 120.0
    """An engine not ready by then is killed and the server exits; as long it waits for weights that no store gives."""
    load_floor_s: float = 0.0
    """Least time from an engine's start until it can answer: a larger model's load time, spent asleep. 0: as fast as the model is."""
    engine_death: EngineDeath = EngineDeath.EXIT
    drain_grace_s: float = 2.0
    """After SIGTERM /health is red at once, but requests are still taken for so long: balancers need a moment to notice."""
    drain_s: float = 20.0
    """After the grace, how long requests in flight may take; then they are cut. 0: cut at once, without grace, vLLM's default."""

    def __post_init__(self) -> None:
        demand_positive(self, "max_batch", "heartbeat_s", "stall_timeout_s", "startup_timeout_s")
        demand_no_less_than_0(self, "queue_limit", "step_floor_ms", "load_floor_s", "drain_grace_s", "drain_s")
        if wrong := [url for url in self.stores if not url.startswith(("http://", "https://"))]:
            raise SettingRefused(f"setting MODEL_URLS: {wrong[0]!r} is no address, expected http://host:port/bucket/…/model.safetensors")
        if self.stores and self.model_dir == SHIPPED:
            raise SettingRefused(
                f"setting MODEL_URLS without MODEL_DIR: {SHIPPED} has the image's own weights, so no store would be asked; set MODEL_DIR "
                "to an empty folder"
            )
        if self.heartbeat_s * 2 > self.stall_timeout_s:
            raise SettingRefused(
                f"settings HEARTBEAT_S={self.heartbeat_s} and STALL_TIMEOUT_S={self.stall_timeout_s}: a healthy engine would look frozen; "
                "expected a time-out of at least two heartbeats"
            )

    @property
    def stores(self) -> list[str]:
        """The addresses of the weights in object stores, in the order in which they are asked."""
        return [url.strip() for url in self.model_urls.split(",") if url.strip()]


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return what is set; the rest keeps its default. Raises SettingRefused."""
    return read_settings(Settings, environment)
