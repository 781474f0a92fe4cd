"""What training does about bad numbers, bad ranks, second writers, and being told to leave."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from testing.training.gang import SLOWLY, Gang
from workloads.storage.folder import FolderStore
from workloads.training.checkpoint.catalog import survey
from workloads.training.checkpoint.fence import check, claim, newest_attempt
from workloads.training.errors import Fenced, RunRefused
from workloads.training.guard import deviation


def test_a_corrupted_rank_is_named_and_never_saved(gang: Gang, reference_of_three: str) -> None:
    gang.world = 3
    assert gang.run(failpoints="step@rank=1@step=10@restart=0=flip") == [3, 3, 3]
    assert [row["sentence"] for row in gang.rows("divergence")] == ["step 12: rank 1 deviates from the 2 ranks that agree"]
    assert [m.step for m in gang.loadable()] == [6]
    gang.finish()
    assert gang.summary().final_digest == reference_of_three


def test_two_ranks_that_differ_are_both_named() -> None:
    assert deviation(["a", "b"]) == "no majority: ranks 0 | 1 differ, any of them may be wrong"
    assert deviation(["a", "b", "a", "c", "a"]) == "rank 1, 3 deviates from the 3 ranks that agree"


def test_a_poisoned_batch_is_set_aside(gang: Gang) -> None:
    assert not any(gang.run(failpoints="step@rank=1@step=9=nan"))
    assert {row["step"] for row in gang.rows("step") if row["outcome"] == "quarantined"} == {9}
    seen = gang.summary().seen
    assert (seen.skipped, seen.repeated) == (0, 0)
    assert all(m.step for m in gang.loadable())


def test_poison_without_end_stops_the_run(gang: Gang) -> None:
    points = ";".join(f"step@rank=0@step={step}=nan" for step in range(8, 15))
    assert gang.run(failpoints=points, max_quarantined=3) == [3, 3]
    assert "4 batches in a row were set aside, the last one: loss is nan" in gang.log.read_text()


def test_sigterm_to_one_rank_saves_at_once(gang: Gang, reference: str) -> None:
    ranks = gang.launch(interval=1000, **SLOWLY)
    gang.until(lambda: len(gang.rows("step")) >= 10, ranks)
    os.kill(ranks[1].pid or 0, signal.SIGTERM)
    assert gang.wait(ranks) == [75, 75]
    (saved,) = gang.loadable()
    assert saved.step == max(row["step"] for row in gang.rows("step")), "not one step is lost"
    gang.finish()
    summary = gang.summary()
    assert summary.last_lost_steps == 0
    assert summary.final_digest == reference


def test_an_older_attempt_may_not_commit(gang: Gang) -> None:
    ranks = gang.launch(**SLOWLY)
    store = FolderStore(str(gang.checkpoints))
    gang.pause_after_a_checkpoint(ranks)
    assert claim([store], "test-run", "") == 2
    committed = {found.name for found in survey(store, "test-run").checkpoints if found.manifest}
    gang.signal(ranks, signal.SIGCONT)
    codes = gang.wait(ranks)
    assert codes == [4, 4], gang.log.read_text()
    later = {found.name for found in survey(store, "test-run").checkpoints if found.manifest} - committed
    assert len(later) <= 1, "at most the save that was past its check"


def test_an_owner_that_was_replaced_stays_out(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path))
    assert [claim([store], "run", owner) for owner in ("old", "old", "new", "new")] == [1, 2, 3, 4]
    with pytest.raises(Fenced, match="owner 'new' has taken this run over from 'old'"):
        claim([store], "run", "old")
    with pytest.raises(RunRefused, match="it holds run 'run', this is run 'else'"):
        claim([store], "else", "new")


def test_a_store_that_was_away_learns_who_writes(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path))
    check(store, 5, "run", "")
    assert newest_attempt(store) == 5
    with pytest.raises(Fenced, match="attempt 5 has taken this run over; attempt 4 writes nothing more"):
        check(store, 4, "run", "")


def test_a_snapshot_is_of_its_step_however_long_its_writing_takes(gang: Gang, reference: str) -> None:
    assert not any(gang.run(failpoints="save.before_shard@step=6=sleep:0.3", step_pause_s=0.005, digest_every=1))
    digests = {row["step"]: row["digest"] for row in gang.rows("state")}
    saves = {row["step"]: row["digest"] for row in gang.rows("checkpoint")}
    assert sorted(saves) == [6, 12, 18, 24]
    assert all(digests[step] == digest for step, digest in saves.items())
    assert gang.summary().final_digest == reference
