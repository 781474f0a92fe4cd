"""Damaged, stale, foreign and strange checkpoints: noticed, named, passed over, and nothing is deleted that is not ours."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from faults.node_agent.storage import damage
from testing.training.gang import RUN, Gang, contents
from workloads.storage.sealed import seal, unseal
from workloads.training.checkpoint.manifest import KIND

STEP_18, STEP_24 = "step-00000018.a0001", "step-00000024.a0001"


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Gang:
    """A run of 30 steps that was killed in step 27, with checkpoints of steps 18 and 24."""
    gang = Gang(tmp_path_factory.mktemp("interrupted"), settings={"steps": 30, "async_save": False})
    assert -9 in gang.run(failpoints="step@rank=0@step=27@restart=0=kill")
    assert [m.step for m in gang.loadable()] == [24, 18]
    return gang


@pytest.fixture
def copy(interrupted: Gang, tmp_path: Path) -> Gang:
    """A copy of it, to be damaged and restarted."""
    shutil.copytree(interrupted.checkpoints, tmp_path / "checkpoints")
    shutil.copy(interrupted.ledger, tmp_path)
    return Gang(tmp_path, settings={"steps": 30})


@pytest.fixture(scope="module")
def reference_30(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The state after the same 30 steps without a fault."""
    gang = Gang(tmp_path_factory.mktemp("reference30"), settings={"steps": 30})
    gang.finish()
    return str(gang.summary().final_digest)


CHANGES = {"bit flip": damage.flip_bit, "zeroed page": damage.zero_page, "truncation": damage.truncate}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("file", ["shard-0-of-2.safetensors", "shard-1-of-2.safetensors", "manifest.json"])
def test_a_damaged_newest_checkpoint_costs_one_checkpoint(copy: Gang, reference_30: str, change: str, file: str) -> None:
    path = copy.checkpoints / STEP_24 / file
    path.write_bytes(CHANGES[change](path.read_bytes(), random.Random(7)))  # noqa: S311  a place, not a secret
    passed_over(copy, reference_30)


def passed_over(gang: Gang, reference: str) -> str:
    """Restart, expect step 24 to be passed over and everything else to be as if nothing had happened; return what was said of it."""
    gang.finish()
    summary = gang.summary()
    last = summary.last
    assert (last.step, last.depth, summary.last_lost_steps) == (18, 1, 8)
    assert summary.final_digest == reference
    assert summary.flawless
    (said,) = [text for text in last.rejected if STEP_24 in text]
    return said


def test_a_stale_shard_is_noticed(copy: Gang, reference_30: str) -> None:
    shard = "shard-1-of-2.safetensors"
    shutil.copy(copy.checkpoints / STEP_18 / shard, copy.checkpoints / STEP_24 / shard)
    assert "SHA-256" in passed_over(copy, reference_30)


def test_swapped_shards_are_noticed(copy: Gang, reference_30: str) -> None:
    first, second = (copy.checkpoints / STEP_24 / f"shard-{rank}-of-2.safetensors" for rank in (0, 1))
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert "SHA-256" in passed_over(copy, reference_30)


def test_a_missing_manifest_is_noticed(copy: Gang, reference_30: str) -> None:
    (copy.checkpoints / STEP_24 / "manifest.json").unlink()
    assert "its manifest is gone, though it was finished" in passed_over(copy, reference_30)


def test_the_newest_checkpoint_is_missed_when_it_is_gone(copy: Gang, reference_30: str) -> None:
    shutil.rmtree(copy.checkpoints / STEP_24)
    assert "gone, though it was finished" in passed_over(copy, reference_30)


def test_an_older_checkpoint_under_a_newer_name_is_noticed(copy: Gang, reference_30: str) -> None:
    shutil.rmtree(copy.checkpoints / STEP_24)
    shutil.copytree(copy.checkpoints / STEP_18, copy.checkpoints / STEP_24)
    assert "it is the one of step-00000018" in passed_over(copy, reference_30)


def test_nothing_loadable_is_refused_and_left_as_it_is(copy: Gang) -> None:
    for shard in copy.checkpoints.rglob("shard-0-of-2.safetensors"):
        shard.write_bytes(shard.read_bytes()[:-1])
    before = {name: data for name, data in contents(copy.checkpoints).items() if "attempts" not in name}
    assert copy.run() == [2, 2]
    assert "none of the checkpoints can be loaded" in copy.log.read_text()
    assert "workloads.storage.restore" in copy.log.read_text()
    assert {name: data for name, data in contents(copy.checkpoints).items() if "attempts" not in name} == before


def test_foreign_files_are_left_alone(copy: Gang) -> None:
    foreign = {"notes.txt": b"mine", "step-00000018.a0001/extra.bin": b"mine too", "step-99/manifest.json": b"{}", "other/model.pt": b"x"}
    for name, data in foreign.items():
        path = copy.checkpoints / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    assert not any(copy.run(steps=48))
    after = contents(copy.checkpoints)
    assert {name: after[name] for name in foreign} == foreign
    assert "step-00000018.a0001/manifest.json" not in after, "it is superseded"


def _rewritten(gang: Gang, **changes: object) -> None:
    path = gang.checkpoints / STEP_24 / "manifest.json"
    document = unseal(path.read_bytes())
    version = int(str(changes.pop("version", document.version)))
    path.write_bytes(seal(KIND, version, document.body | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"run_id": "another"}, "a checkpoint of run 'another'"),
        ({"version": 2}, "format version 2"),
        ({"model": {"width": 99}}, "of a model with"),
    ],
)
def test_what_is_of_another_run_format_or_model_is_refused(copy: Gang, changes: dict[str, object], sentence: str) -> None:
    _rewritten(copy, **changes)
    before = {name: data for name, data in contents(copy.checkpoints).items() if "attempts" not in name}
    assert copy.run() == [2, 2]
    assert sentence in copy.log.read_text()
    assert {name: data for name, data in contents(copy.checkpoints).items() if "attempts" not in name} == before


def test_a_folder_of_another_run_is_refused_even_without_a_checkpoint(copy: Gang) -> None:
    for path in (copy.checkpoints / STEP_18, copy.checkpoints / STEP_24):
        shutil.rmtree(path)
    (copy.checkpoints / "latest.json").unlink()
    assert copy.run(run_id="another") == [2, 2]
    assert f"it holds run {RUN!r}, this is run 'another'" in copy.log.read_text()


@pytest.mark.parametrize("world", [1, 3])
def test_restored_at_another_number_of_ranks(copy: Gang, world: int) -> None:
    copy.world = world
    copy.finish()
    summary = copy.summary()
    assert (summary.last.step, summary.last.depth) == (24, 0)
    assert (summary.seen.steps, summary.seen.skipped, summary.seen.repeated) == (30, 0, 0)
    manifest = json.loads((copy.checkpoints / "step-00000030.a0002/manifest.json").read_text())["body"]
    assert manifest["world_size"] == world


def test_two_volumes_one_of_them_damaged(tmp_path: Path, reference: str) -> None:
    second = tmp_path / "second"
    second.mkdir()
    gang = Gang(tmp_path, stores=f"file://{tmp_path}/checkpoints,file://{second}")
    assert -9 in gang.run(failpoints="step@rank=1@step=15@restart=0=kill")
    for shard in gang.checkpoints.rglob("shard-*"):
        shard.write_bytes(b"")
    gang.finish()
    summary = gang.summary()
    assert summary.last.depth == 0, "the other volume has it"
    assert summary.final_digest == reference
    stored = {store["url"]: store["problem"] for row in gang.rows("checkpoint")[-1:] for store in row["stores"]}
    assert stored == {f"file://{tmp_path}/checkpoints": "", f"file://{second}": ""}
