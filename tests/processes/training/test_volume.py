"""A volume that is read-only or full, for real: a file system of its own, of a few MiB."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.training.gang import RUN, Gang, contents, loadable
from testing.waiting import wait_for
from workloads.storage.errors import StoreRefused
from workloads.storage.folder import FolderStore
from workloads.training.errors import SettingsRefused
from workloads.training.preflight import preflight
from workloads.training.settings import from_environment

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "volume"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(volume: Path) -> Path:
    """Leave no byte free."""
    path = volume / "foreign.bin"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\1" * size)
    return path


def failed_saves(gang: Gang) -> list[str]:
    return [store["problem"] for row in gang.rows("checkpoint") for store in row["stores"] if store["problem"]]


def test_a_read_only_volume_is_refused_and_left_as_it_is(volume: Path) -> None:
    (volume / "notes.txt").write_text("mine")
    subprocess.run(["mount", "-o", "remount,ro", str(volume)], check=True)
    settings = {"TRAIN_RUN_ID": RUN, "TRAIN_STORES": f"file://{volume}", "TRAIN_LEDGER": f"file://{volume.parent}/ledger.jsonl"}
    with pytest.raises((StoreRefused, SettingsRefused), match=r"Read-only file system \(EROFS\); make it writable for user 0"):
        preflight(from_environment(settings))
    assert contents(volume) == {"notes.txt": b"mine"}


def test_a_full_volume_costs_saves_never_the_last_good_checkpoint(tmp_path: Path, volume: Path, reference: str) -> None:
    gang = Gang(tmp_path / "gang", 2, {"step_pause_s": 0.2}, stores=f"file://{volume}")
    try:
        ranks = gang.launch()
        wait_for(lambda: loadable(FolderStore(str(volume))), "a checkpoint that loads")
        gang.signal(ranks, signal.SIGSTOP)
        foreign = fill(volume)
        gang.signal(ranks, signal.SIGCONT)
        wait_for(lambda: failed_saves(gang), "a save that failed")
        assert loadable(FolderStore(str(volume)))
        assert all("No space left on device (ENOSPC)" in problem for problem in failed_saves(gang))
        foreign.unlink()
        gang.wait(ranks)
        gang.finish()  # if the last save fell into the time without room
        assert gang.summary().final_digest == reference
        assert gang.summary().flawless
    finally:
        gang.end()
