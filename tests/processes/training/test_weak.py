"""Each weakness is one: without its protection, the same fault has the consequence that the protection prevents."""

from __future__ import annotations

import shutil
import signal

from testing.training.gang import SLOWLY, Gang
from workloads.storage.folder import FolderStore
from workloads.training.checkpoint.catalog import survey

KILL = "step@rank=0@step=15@restart=0=kill"


def _interrupted(gang: Gang, **settings: object) -> None:
    gang.settings |= {"async_save": False, **settings}
    assert -9 in gang.run(failpoints=KILL)


def _damage(gang: Gang, folder: str = "step-00000012.a0001") -> None:
    (shard, *_) = sorted((gang.checkpoints / folder).glob("shard-0*"))
    data = bytearray(shard.read_bytes())
    data[8 + int.from_bytes(data[:8], "little") + 42] ^= 1  # among the first tensor's numbers, after safetensors' header
    shard.write_bytes(bytes(data))


def test_without_verification_damage_is_resumed_from_silently(gang: Gang, reference: str) -> None:
    _interrupted(gang, verify=False)
    _damage(gang)
    gang.finish()
    assert gang.summary().last.depth == 0
    assert gang.summary().final_digest != reference


def test_torch_save_does_not_notice_damage(gang: Gang, reference: str) -> None:
    _interrupted(gang, format="torch", verify=False)
    shard = gang.checkpoints / "step-00000012.a0001" / "shard-0-of-2.pt"
    stale = gang.checkpoints / "step-00000006.a0001" / "shard-0-of-2.pt"
    shutil.copy(stale, shard)
    gang.finish()
    assert gang.summary().last.depth == 0
    assert gang.summary().final_digest != reference


def test_with_torch_save_an_undamaged_run_still_resumes(gang: Gang, reference: str) -> None:
    _interrupted(gang, format="torch", verify=False)
    gang.finish()
    assert gang.summary().last.step == 12
    assert gang.summary().final_digest == reference


def test_a_single_checkpoint_leaves_nothing_to_fall_back_to(gang: Gang) -> None:
    _interrupted(gang, keep=1)
    _damage(gang)
    assert gang.run() == [2, 2]
    assert "none of the checkpoints can be loaded" in gang.log.read_text()


def test_a_pointer_that_moves_early_names_what_is_not_there(gang: Gang) -> None:
    gang.settings |= {"pointer": "early"}
    assert -9 in gang.run(failpoints="save.before_shard@step=12@restart=0=kill")
    assert gang.loadable(), "there would be one"
    assert gang.run() == [2, 2], "but nobody looks for it"


def test_without_resume_everything_is_lost(gang: Gang) -> None:
    _interrupted(gang, resume=False)
    gang.finish()
    assert gang.summary().last_lost_steps == 15 - 1


def test_a_data_order_that_begins_again_repeats_and_skips(gang: Gang) -> None:
    _interrupted(gang, resume_data=False)
    gang.finish()
    seen = gang.summary().seen
    assert seen.repeated
    assert seen.skipped


def test_without_a_snapshot_later_weights_get_into_an_earlier_checkpoint(gang: Gang) -> None:
    gang.settings |= {"snapshot": False, "digest_every": 1, "step_pause_s": 0.005}
    assert not any(gang.run(failpoints="save.before_shard@step=6=sleep:1"))
    digests = {row["step"]: row["digest"] for row in gang.rows("state")}
    saves = {row["step"]: row["digest"] for row in gang.rows("checkpoint")}
    assert saves[6] != digests[6]


def test_without_the_guard_a_poisoned_batch_reaches_every_weight(gang: Gang) -> None:
    gang.settings |= {"guard": False, "digest_every": 0}
    assert not any(gang.run(failpoints="step@rank=1@step=9=nan"))
    assert {row["outcome"] for row in gang.rows("step")} == {"applied"}
    assert str(gang.rows("step")[-1]["loss"]) == "nan"


def test_without_comparison_a_corrupted_rank_is_saved(gang: Gang, reference: str) -> None:
    gang.settings |= {"digest_every": 0}
    assert not any(gang.run(failpoints="step@rank=1@step=9=flip"))
    assert gang.rows("divergence") == []
    assert [m.step for m in gang.loadable()] == [24, 18]


def test_without_an_emergency_save_the_interval_is_lost(gang: Gang) -> None:
    ranks = gang.launch(emergency=False, interval=1000, **SLOWLY)
    gang.until(lambda: len(gang.rows("step")) >= 10, ranks)
    ranks[1].terminate()
    assert gang.wait(ranks)[1] == -15
    assert gang.loadable() == []


def test_without_fencing_two_attempts_write(gang: Gang) -> None:
    gang.settings |= {"fencing": False}
    first = gang.launch(**SLOWLY)
    gang.pause_after_a_checkpoint(first)
    gang.finish()
    gang.signal(first, signal.SIGCONT)
    assert gang.wait(first) == [0, 0]
    assert gang.summary().writers
    names = [found.name for found in survey(FolderStore(str(gang.checkpoints)), "test-run").checkpoints]
    assert {name.attempt for name in names} == {1, 2}
