"""Training whose only volume is full, fails now and then, or is slow for a while: it goes on, and never has nothing to go back to."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from testing.training.gang import Gang, loadable
from testing.training.sick_disk import sick
from workloads.storage.folder import FolderStore

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="only root may mount, and FUSE is needed")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    path.mkdir()
    return path


def problems(gang: Gang) -> list[str]:
    """Return what became of saves: empty for one that was committed."""
    return [store["problem"] for row in gang.rows("checkpoint") for store in row["stores"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [(("full",), "No space left on device (ENOSPC)"), (("fail", "-percent", "100", "-seed", "7"), "Input/output error (EIO)")],
)
def test_saves_fail_with_the_reason_and_training_goes_on_to_the_same_state(
    tmp_path: Path, volume: Path, reference: str, words: tuple[str, ...], said: str
) -> None:
    gang, store = Gang(tmp_path / "gang", 2, {"step_pause_s": 0.2}, stores=f"file://{volume}"), FolderStore(str(volume))
    try:
        ranks = gang.launch()
        gang.until(lambda: loadable(store), ranks)
        gang.signal(ranks, signal.SIGSTOP)  # its steps must not be done before its volume is sick
        with sick(volume, *words) as disk:
            before = len(problems(gang))
            gang.signal(ranks, signal.SIGCONT)
            gang.until(lambda: any(problems(gang)[before:]), ranks)
            below = FolderStore(str(disk.below))
            assert loadable(below)  # what was whole is whole
        gang.wait(ranks)
        gang.finish()  # if the last save fell into that time
    finally:
        gang.end()
    assert any(said in problem for problem in problems(gang))
    assert gang.summary().final_digest == reference
    assert gang.summary().flawless


def test_a_volume_that_fails_now_and_then_never_leaves_nothing_loadable(tmp_path: Path, volume: Path, reference: str) -> None:
    gang = Gang(tmp_path / "gang", 2, {"step_pause_s": 0.1}, stores=f"file://{volume}")
    seen: list[bool] = []
    try:
        with sick(volume, "fail", "-percent", "10", "-seed", "7") as disk:
            ranks = gang.launch()
            while all(rank.exitcode is None for rank in ranks):
                seen.append(bool(loadable(FolderStore(str(disk.below)))))
                ranks[0].join(0.2)
            gang.wait(ranks)  # it may not even start: a disk that cannot be read is no empty one
        gang.finish()
    finally:
        gang.end()
    assert seen == sorted(seen), "there was a loadable checkpoint, and then none"
    assert gang.summary().final_digest == reference
