"""Nights in a folder: kept whole, read back, made anew after a kill, trimmed; nothing of the history is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from history.errors import ConfigError, NightsError
from nights import index
from nights.cli import main
from nights.of_session import night_of
from nights.record import Night
from nights.shelf import INDEX, Shelf
from nights.store.folder import FolderStore
from nights.store.place import open_store
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_KILLED, NODE_OFF


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    return [write_run(root, ENGINE_KILLED), write_run(root, NODE_OFF)]


@pytest.fixture
def runs(made: list[Path], tmp_path: Path) -> list[Path]:
    return [Path(shutil.copytree(run, tmp_path / "runs" / run.name)) for run in made]


class Kept:
    """A shelf, what it said, and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, list[str]()
        self.shelf = Shelf(FolderStore(folder), self.said.append)

    def files(self) -> list[str]:
        return [str(path.relative_to(self.folder)) for path in sorted(self.folder.rglob("*")) if path.is_file()]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "nights")


def moved(runs: list[Path], days: int) -> list[Path]:
    """Return copies of ``runs`` that were made some days later."""
    later: list[Path] = []
    for run in runs:
        copy = Path(shutil.copytree(run, run.with_name(f"{run.name}-day{days}")))
        for name in ("plan.json", "verdict.json"):
            raw = json.loads((copy / name).read_text())
            raw["run_id"] += f"-day{days}"
            raw |= {"created_ns": raw["created_ns"] + days * 86_400 * 10**9} if "created_ns" in raw else {}
            (copy / name).write_text(json.dumps(raw))
        later.append(copy)
    return later


def edit(file: Path, **fields: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def test_a_night_comes_back_as_it_was_kept(kept: Kept, runs: list[Path]) -> None:
    night = kept.shelf.keep(runs)
    assert kept.shelf.nights() == [night] == kept.shelf.nights()
    assert {run.experiment for run in night.runs} == {ENGINE_KILLED.id, NODE_OFF.id}
    assert night.runs[0].duration_s > 0
    assert night.runs[0].value("rto") is not None
    for run in runs:  # whole folders
        for file in (path for path in run.rglob("*") if path.is_file()):
            stored = kept.folder / "runs" / night.night / run.name / file.relative_to(run)
            assert stored.read_bytes() == file.read_bytes()
    assert kept.said == []


def test_the_same_runs_are_the_same_night(kept: Kept, runs: list[Path]) -> None:
    assert kept.shelf.keep(runs) == kept.shelf.keep(list(reversed(runs)))
    assert len(kept.shelf.nights()) == 1


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_torn_index_is_made_anew(kept: Kept, runs: list[Path], share: float) -> None:
    night = kept.shelf.keep(runs)
    kept.shelf.nights()
    whole = (kept.folder / INDEX).read_bytes()
    (kept.folder / INDEX).write_bytes(whole[: int(len(whole) * share)])
    assert kept.shelf.nights() == [night]
    assert "the index is torn" in kept.said[0]
    assert "none of which is lost" in kept.said[0]
    assert index.read((kept.folder / INDEX).read_bytes()) == {night.night: night}


def test_a_foreign_table_in_the_place_of_the_index_is_torn(kept: Kept, runs: list[Path]) -> None:
    night = kept.shelf.keep(runs)
    shutil.copy(runs[0] / "events.parquet", kept.folder / INDEX)
    assert kept.shelf.nights() == [night]


def test_a_night_that_was_being_kept_is_read_from_the_runs_that_are_there(kept: Kept, runs: list[Path]) -> None:
    night = kept.shelf.keep(runs)
    edit(kept.folder / "records" / f"{night.night}.json", whole=False)
    shutil.rmtree(kept.folder / "runs" / night.night / runs[1].name)
    (found,) = kept.shelf.nights()
    assert not found.whole
    assert [run.experiment for run in found.runs] == [ENGINE_KILLED.id]
    assert "was not kept to its end" in kept.said[0]
    assert kept.shelf.keep(runs) == night  # and asked again it is completed
    assert kept.shelf.nights() == [night]


def test_an_index_made_anew_knows_which_night_was_not_kept_to_its_end(kept: Kept, runs: list[Path]) -> None:
    night = kept.shelf.keep(runs)
    record = kept.folder / "records" / f"{night.night}.json"
    edit(record, whole=False)
    shutil.rmtree(kept.folder / "runs" / night.night / runs[1].name)
    for lost in (False, True):  # by its record, or by its name, which says of which runs it is made
        if lost:
            shutil.rmtree(kept.folder / "records")
        (found,) = kept.shelf.rebuild()
        assert (found.whole, len(found.runs)) == (False, 1)
        assert not kept.shelf.nights()[0].whole
    assert kept.shelf.keep(runs) == night


def test_a_night_that_was_killed_within_its_last_run_is_not_whole_either(kept: Kept, runs: list[Path]) -> None:
    night = kept.shelf.keep(runs)
    shutil.rmtree(kept.folder / "records")
    (kept.folder / "runs" / night.night / runs[1].name / "verdict.json").unlink()
    assert [one.whole for one in kept.shelf.rebuild()] == [False]


def test_a_night_of_which_nothing_but_its_announcement_was_kept_is_listed(kept: Kept, runs: list[Path]) -> None:
    night = kept.shelf.keep(runs)
    edit(kept.folder / "records" / f"{night.night}.json", whole=False)
    shutil.rmtree(kept.folder / "runs")
    assert [(one.night, one.whole, one.runs) for one in kept.shelf.rebuild()] == [(night.night, False, ())]


def test_a_run_is_kept_once_whatever_it_is_kept_with(kept: Kept, runs: list[Path]) -> None:
    night = kept.shelf.keep(runs)
    assert kept.shelf.keep(runs[:1]) == night  # a part of it
    later = moved(runs[:1], 3)
    other = kept.shelf.keep([*runs, *later])
    assert [run.run_id for run in other.runs] == [json.loads((later[0] / "plan.json").read_text())["run_id"]]
    assert [len(one.runs) for one in kept.shelf.nights()] == [2, 1]
    assert f"in night {night.night}; each run is kept once" in kept.said[-1]


def test_the_same_run_named_twice_is_one(kept: Kept, runs: list[Path]) -> None:
    copy = Path(shutil.copytree(runs[0], runs[0].with_name("copy")))
    assert len(kept.shelf.keep([runs[0], runs[0], copy]).runs) == 1
    assert [len(one.runs) for one in kept.shelf.rebuild()] == [1]


def test_what_was_half_kept_goes_over_to_the_night_that_keeps_it_whole(kept: Kept, runs: list[Path]) -> None:
    half = kept.shelf.keep(runs[:1])
    edit(kept.folder / "records" / f"{half.night}.json", whole=False)
    (kept.folder / "runs" / half.night / runs[0].name / "verdict.json").unlink()
    night = kept.shelf.keep(runs)
    assert len(night.runs) == 2
    assert kept.shelf.nights() == [night]


def test_two_writers_of_one_piece_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines may have a process of one number; the last to rename wins, and nothing is left over."""
    store, replace = FolderStore(tmp_path), Path.replace
    other = False

    def interrupted(part: Path, to: Path) -> Path:
        nonlocal other
        if not other:
            other = True
            FolderStore(tmp_path).write("index.parquet", b"of another machine")
            assert store.read("index.parquet") == b"of another machine"
        return replace(part, to)

    monkeypatch.setattr(Path, "replace", interrupted)
    store.write("index.parquet", b"ours")
    assert store.read("index.parquet") == b"ours"
    assert [path.name for path in tmp_path.iterdir()] == ["index.parquet"]


def test_a_file_in_the_place_of_the_folder_is_found_by_reading(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "nights"):
        with pytest.raises(NightsError, match="cannot list this folder"):
            Kept(place).shelf.check(writable=False)
    Kept(tmp_path / "none").shelf.check(writable=False)
    assert not (tmp_path / "none").exists()
    new = Kept(tmp_path / "new")
    new.shelf.check(writable=True)
    assert new.files() == []


def test_a_record_of_a_later_suite_is_read_from_its_runs(kept: Kept, runs: list[Path]) -> None:
    night = kept.shelf.keep(runs)
    edit(kept.folder / "records" / f"{night.night}.json", schema=99)
    assert kept.shelf.nights()[0].runs == night.runs
    assert "not one of schema 1" in kept.said[0]


def test_everything_but_the_runs_can_be_lost(kept: Kept, runs: list[Path]) -> None:
    night = kept.shelf.keep(runs)
    shutil.rmtree(kept.folder / "records")
    (kept.folder / INDEX).unlink(missing_ok=True)
    assert [one.runs for one in kept.shelf.rebuild()] == [night.runs]
    assert [one.night for one in kept.shelf.nights()] == [night.night]


def test_an_interrupted_run_and_one_that_cannot_be_read_are_said(kept: Kept, runs: list[Path]) -> None:
    (runs[0] / "verdict.json").unlink()
    (runs[1] / "plan.json").write_text("{")
    night = kept.shelf.keep(runs)
    (run,) = night.runs
    assert (run.counts_as, run.complete) == ("INCONCLUSIVE", False)
    assert "interrupted" in run.sentence
    assert [one.name for one in night.unread] == [runs[1].name]
    assert "plan.json cannot be read" in night.unread[0].reason
    assert kept.shelf.nights() == [night]


def test_a_run_of_the_first_schema_is_kept(kept: Kept, runs: list[Path]) -> None:
    raw = json.loads((runs[0] / "plan.json").read_text())
    (only,) = raw.pop("workloads")
    raw |= {"schema_version": 1, "workload": only["name"], "slo": only["slo"], "load": only["load"], "budgets": only["budgets"]}
    raw.pop("seed_policy", None)
    (runs[0] / "plan.json").write_text(json.dumps(raw))
    night = kept.shelf.keep(runs[:1])
    assert night.runs[0].conditions.seed_policy == ""
    assert kept.shelf.nights() == [night]


def test_a_record_tells_the_workloads_of_one_run_apart(kept: Kept, runs: list[Path]) -> None:
    raw = json.loads((runs[0] / "verdict.json").read_text())
    rto = next(check for check in raw["checks"] if check["name"] == "rto")
    first = rto | {"workload": "realtime-inference"}
    raw["checks"] = [first, *(one for one in raw["checks"] if one is not rto)]
    raw["checks"] += [rto | {"workload": "batch-training", "measured": 99.0, "verdict": "FAIL"}]
    (runs[0] / "verdict.json").write_text(json.dumps(raw))
    night = kept.shelf.keep(runs[:1])
    (run,) = night.runs
    assert [(one.workload, one.value) for one in run.values if one.name == "rto"][:2] == [
        ("realtime-inference", rto["measured"]),
        ("batch-training", 99.0),
    ]
    assert run.failed == ("rto of batch-training",)
    assert kept.shelf.nights() == [night]  # through the index, too


def test_nothing_to_keep_is_a_sentence(kept: Kept, tmp_path: Path) -> None:
    with pytest.raises(NightsError, match="no run can be read"):
        kept.shelf.keep([tmp_path])
    assert kept.files() == []


def test_a_folder_with_a_hostile_name_stays_below_its_night(kept: Kept, runs: list[Path]) -> None:
    hostile = runs[0].rename(runs[0].with_name("..%2f '; rm -rf ~"))
    night = kept.shelf.keep([hostile])
    assert kept.shelf.rebuild()[0].runs == night.runs
    assert {file.split("/")[0] for file in kept.files()} == {"records", "runs", INDEX}
    (kept.folder / "records" / "..json").write_text("{}")  # not ours
    (kept.folder / "records" / "notes.json").write_text("{}")
    assert len(kept.shelf.nights()) == 1


def test_older_nights_are_trimmed_and_the_oldest_go(kept: Kept, runs: list[Path]) -> None:
    nights = [kept.shelf.keep(moved(runs[:1], day)) for day in (1, 2, 3, 4)]
    left = kept.shelf.expire(kept.shelf.nights(), whole=1, most=3)
    assert [one.night for one in left] == [one.night for one in nights[1:]]
    assert [one.kept_whole for one in left] == [False, False, True]
    assert [one.runs for one in left] == [one.runs for one in nights[1:]]
    assert left == kept.shelf.nights()
    assert len([file for file in kept.files() if file.endswith("requests.parquet")]) == 1
    assert not [file for file in kept.files() if nights[0].night in file]
    rebuilt = kept.shelf.rebuild()
    assert [one.runs for one in rebuilt] == [one.runs for one in left]
    assert [one.kept_whole for one in rebuilt] == [False, False, True]


def test_each_target_has_its_own_retention(kept: Kept, runs: list[Path]) -> None:
    others = moved(runs[:1], 5)
    raw = json.loads((others[0] / "plan.json").read_text())
    edit(others[0] / "plan.json", target=raw["target"] | {"name": "another"})
    for folders in (moved(runs[:1], 1), moved(runs[:1], 2), others):
        kept.shelf.keep(folders)
    assert len(kept.shelf.expire(kept.shelf.nights(), whole=1, most=1)) == 2


def test_a_folder_out_of_reach_is_a_sentence_and_the_runs_stay(tmp_path: Path, runs: list[Path]) -> None:
    (tmp_path / "file").write_text("")
    kept = Kept(tmp_path / "file" / "nights")
    with pytest.raises(NightsError, match=r"cannot list .* nothing of this session is lost.*python -m nights keep"):
        kept.shelf.keep(runs)
    assert night_of(runs).runs


@pytest.mark.parametrize("address", ["", "http://x/y", "s3://", "s3://bucket/x?region=1"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        open_store(address)


def test_the_command_keeps_lists_and_rebuilds(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--nights", str(tmp_path / "here")]
    assert main(["list", *place]) == 0
    assert "no night is kept" in capsys.readouterr().out
    assert main(["keep", *map(str, runs), *place]) == 0
    kept = capsys.readouterr().out
    assert "local: 2 runs, 2 PASS" in kept
    assert main(["index", *place]) == 0
    assert capsys.readouterr().out == kept
    assert main(["keep", str(tmp_path), *place]) == 11


def test_an_index_holds_what_it_was_given() -> None:
    empty = Night("20260101-000000-000000", 1, ())
    assert index.read(index.written([empty])) == {empty.night: empty}
    assert index.read(index.written([])) == {}
