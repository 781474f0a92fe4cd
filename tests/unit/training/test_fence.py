"""Each start of a run takes a number of its own, whatever a power cut left of the records."""

from __future__ import annotations

from pathlib import Path

import pytest

from workloads.storage.folder import FolderStore
from workloads.training.checkpoint import fence
from workloads.training.errors import Fenced, RunRefused


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path))


def test_numbers_go_up_and_an_older_attempt_may_not_write(store: FolderStore) -> None:
    assert [fence.claim([store], "run", "job-1") for _ in range(3)] == [1, 2, 3]
    fence.check(store, 3, "run", "job-1")
    with pytest.raises(Fenced, match="attempt 3 has taken this run over"):
        fence.check(store, 2, "run", "job-1")


def test_a_number_whose_record_was_lost_is_not_taken_again_if_a_checkpoint_carries_it(store: FolderStore, tmp_path: Path) -> None:
    fence.claim([store], "run", "job-1")
    fence.claim([store], "run", "job-1")
    store.put("step-00000010.a0002/shard-0-of-1.safetensors", b"weights")
    (tmp_path / "attempts" / "a0002.json").unlink()  # it was not synced
    assert fence.newest_attempt(store) == 2
    assert fence.claim([store], "run", "job-1") == 3


def test_whose_run_it_is_is_told_by_the_records_that_are_left(store: FolderStore, tmp_path: Path) -> None:
    fence.claim([store], "run", "job-1")
    store.put("step-00000010.a0002/shard-0-of-1.safetensors", b"weights")
    with pytest.raises(RunRefused, match="it holds run 'run', this is run 'another'"):
        fence.claim([store], "another", "job-1")
