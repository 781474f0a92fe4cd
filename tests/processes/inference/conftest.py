"""The servers and prompts of these tests."""

import json
from collections.abc import Iterator

import pytest

from tests.processes.inference.replica import Prompt, Replica
from workloads.inference import reference


@pytest.fixture(scope="session")
def prompts() -> list[Prompt]:
    rows = [json.loads(line) for line in reference.SHIPPED.read_text().splitlines()]
    return [Prompt(row["prompt"], row["completion"]) for row in rows]


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Replica]]:
    """Every server that these tests need, by name, starting up at the same time."""
    root = tmp_path_factory.mktemp("fleet")
    devices = root / "devices"
    for device in ("GPU-0", "GPU-1"):
        (devices / device).mkdir(parents=True)
    (devices / "GPU-0" / "status").write_text("ok\n")
    slow = {"STEP_FLOOR_MS": "20", "MAX_BATCH": "4"}  # as a larger model: answers last long enough to meet each other, and what a test does
    settings: dict[str, dict[str, str]] = {
        "shared": slow | {"STALL_TIMEOUT_S": "600"},  # it is never frozen, and a busy machine is no stall
        "frozen": slow | {"STALL_TIMEOUT_S": "3"},
        "patient": slow | {"STALL_TIMEOUT_S": "600", "QUEUE_LIMIT": "2", "DRAIN_GRACE_S": "0.1"},
        "victim": slow,
        "weak": slow | {"HEALTH": "api-only", "DRAIN_S": "0"},
        "gpu": slow | {"NVIDIA_VISIBLE_DEVICES": "GPU-0", "DEVICE_ROOT": str(devices)},
        "stays": slow | {"ENGINE_DEATH": "stay", "LOAD_FLOOR_S": "0.1"},
        "lost-gpu": {"NVIDIA_VISIBLE_DEVICES": "GPU-1", "DEVICE_ROOT": str(devices)},
    }
    replicas = {name: Replica(root / name, **values) for name, values in settings.items()}
    yield replicas
    for replica in replicas.values():
        replica.close()


@pytest.fixture(scope="session")
def shared(fleet: dict[str, Replica]) -> Replica:
    """A replica that every test leaves as it was."""
    return fleet["shared"].ready()
