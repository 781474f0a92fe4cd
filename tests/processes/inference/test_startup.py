"""What a server refuses to start with."""

import shutil
from pathlib import Path

import pytest

from tests.processes.inference.replica import Replica
from workloads.environment import SettingRefused
from workloads.inference import settings, weights


def refusal(folder: Path, **values: str) -> str:
    """The log of a server that must exit with 1."""
    replica = Replica(folder, **values)
    try:
        assert replica.exit_code() == 1
    finally:
        replica.close()
    return replica.log.read_text()


@pytest.fixture
def copied_weights(tmp_path: Path) -> Path:
    return Path(shutil.copytree(weights.SHIPPED, tmp_path / "weights"))


def test_changed_weights_are_refused(copied_weights: Path, tmp_path: Path) -> None:
    path = copied_weights / weights.WEIGHTS_FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    log = refusal(tmp_path / "server", MODEL_DIR=str(copied_weights))
    assert f"refuses to serve: {path}: sha256 is {weights.digest(path)}" in log
    assert "nothing is served" in log


@pytest.mark.parametrize(
    ("damage", "sentence"), [("{", "the record of the weights can't be read"), (None, "the weights can't be read .No such file")]
)
def test_missing_or_malformed_files_are_refused(copied_weights: Path, damage: str | None, sentence: str) -> None:
    if damage is None:
        (copied_weights / weights.WEIGHTS_FILE).unlink()
    else:
        (copied_weights / weights.RECORD_FILE).write_text(damage)
    with pytest.raises(weights.WeightsRefused, match=sentence):
        weights.verified(copied_weights)


def test_a_setting_that_cannot_be_is_refused_by_the_server(tmp_path: Path) -> None:
    assert "environment variable HEALTH is 'good', expected progress, process, api-only" in refusal(tmp_path / "server", HEALTH="good")


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"MAX_BATCH": "0"}, "setting MAX_BATCH is 0, expected more than 0"),
        ({"DRAIN_S": "-1"}, "setting DRAIN_S is -1.0, expected 0 or more"),
        ({"QUEUE_LIMIT": "many"}, "QUEUE_LIMIT is 'many', expected a value of type int"),
        ({"STALL_TIMEOUT_S": "0.2"}, "a healthy engine would look frozen"),
    ],
)
def test_impossible_settings_are_named(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingRefused, match=sentence):
        settings.from_environment(environment)


def test_settings_come_from_the_environment() -> None:
    read = settings.from_environment({"HEALTH": "api-only", "DRAIN_S": "0", "MODEL_DIR": "/models/ring", "PATH": "/bin"})
    assert read == settings.Settings(health=settings.Health.API_ONLY, drain_s=0.0, model_dir=Path("/models/ring"))
