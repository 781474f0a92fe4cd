"""A session that was killed half-way still ends in a report, marked incomplete."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from nights.shelf import Shelf
from nights.store.folder import FolderStore
from runner import unfinished
from runner.session_record import Begun, LeftOut, Planned, SessionRecord, SessionState, alive
from runner.unfinished import report_unfinished
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_KILLED

PLANNED = (Planned(id="serving/engine-killed", title="a", trials=2), Planned(id="serving/b", title="b"), Planned(id="serving/c", title="c"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs"), ENGINE_KILLED)


def state(out: Path, *runs: Path, nights: str = "") -> SessionState:
    left_out = (LeftOut(id="serving/c", title="c", reason="role x is not there"),)
    begun = tuple(Begun(id="serving/engine-killed", path=run) for run in runs)
    return SessionState(command="pytest -m chaos", root=out, nights=nights, planned=PLANNED, begun=begun, left_out=left_out)


def killed(out: Path, *runs: Path, nights: str = "") -> SessionRecord:
    """Leave the record of a session whose process is gone: its lock went with it."""
    record = SessionRecord.begin(out, state(out, *runs, nights=nights))
    os.close(record.fd)
    return record


def test_what_was_not_begun_is_counted_by_runs_and_named_by_experiment(tmp_path: Path) -> None:
    found = state(tmp_path, tmp_path / "one")
    assert [one.id for one in found.not_begun] == ["serving/b"]
    assert found.incomplete("it was killed") == "This night is incomplete: it was killed, and 2 of 3 runs were not begun."
    whole = state(tmp_path, tmp_path / "one", tmp_path / "two").model_copy(update={"planned": PLANNED[:1]})
    assert whole.incomplete("it was killed") == ""


def test_a_refused_trial_leaves_the_others_to_be_counted(tmp_path: Path) -> None:
    why = LeftOut(id="serving/engine-killed", title="a", reason="no rights", refused=True)
    one = Begun(id="serving/engine-killed", path=tmp_path / "one", refused=True)
    found = state(tmp_path).model_copy(update={"begun": (one,), "left_out": (why,)})
    assert found.incomplete("it was killed") == "This night is incomplete: it was killed, and 3 of 4 runs were not begun."


def test_a_refused_run_stands_in_the_report_of_a_killed_session_once(tmp_path: Path) -> None:
    why = LeftOut(id="serving/engine-killed", title="a", reason="no rights", refused=True)
    one = Begun(id="serving/engine-killed", path=tmp_path / "one", refused=True)
    record = killed(tmp_path)
    record.write(state(tmp_path).model_copy(update={"begun": (one,), "left_out": (why,)}))
    [page] = report_unfinished(tmp_path, print)
    report = json.loads(page.with_name("report.json").read_text())
    assert [(one["kind"], one["reason"]) for one in report["not_tested"] if one["id"] == why.id] == [("refused", "no rights")]


def test_a_record_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        SessionRecord.begin(tmp_path, state(tmp_path))
    assert list((tmp_path / "sessions").iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_report_of_a_killed_session_is_made_once_and_its_night_kept(made: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made, tmp_path / "runs" / "one"))
    (run / "verdict.json").unlink()  # killed before it was judged
    half = tmp_path / "runs" / "two"
    half.mkdir()  # killed before it had a plan
    killed(tmp_path, run, half, nights="nights")
    said: list[str] = []
    [page] = report_unfinished(tmp_path, said.append)
    assert page.parent.parent == tmp_path / "unfinished"
    assert "This night is incomplete: the session was killed, and 1 of 3 runs were not begun." in page.read_text()
    report = json.loads(page.with_name("report.json").read_text())
    assert report["verdict"] != "PASS"
    assert {one["id"]: one["reason"] for one in report["not_tested"]} == {
        "serving/b": "not run: the session was killed",
        "serving/c": "role x is not there",
        "serving/engine-killed": "the session was killed in its preflight; nothing was injected",
    }
    assert [len(night.runs) for night in Shelf(FolderStore(tmp_path / "nights"), said.append).nights()] == [1]
    assert any("marked incomplete" in line for line in said)
    assert report_unfinished(tmp_path, said.append) == []


def test_a_session_that_held_but_was_killed_is_no_pass(made: Path, tmp_path: Path) -> None:
    killed(tmp_path, made)  # somebody else's, or an earlier night's
    record = killed(tmp_path, made, made)
    pages = report_unfinished(tmp_path, print, record.path)
    assert {page.parent.parent for page in pages} == {tmp_path, tmp_path / "unfinished"}
    [page] = [page for page in pages if page.parent.parent == tmp_path]
    report = json.loads((tmp_path / "latest" / "report.json").read_text())
    assert page == tmp_path / "latest" / "index.html"
    assert report["sentence"].startswith(report["incomplete"])
    assert report["verdict"] in {"INCONCLUSIVE", "FAIL"}


def test_a_session_that_is_alive_is_left_alone(tmp_path: Path) -> None:
    record = SessionRecord.begin(tmp_path, state(tmp_path))
    assert report_unfinished(tmp_path, print) == []
    assert alive(record.path)
    assert record.path.exists()
    record.end()
    assert not alive(record.path)
    assert list(record.path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "it is not the record of a session"), ('{"schema_version": 9, "command": "", "root": "/"}', "it is of schema 9")],
)
def test_a_record_that_cannot_be_read_is_said_and_stays(tmp_path: Path, text: str, says: str) -> None:
    record = killed(tmp_path)
    record.path.write_text(text)
    said: list[str] = []
    assert report_unfinished(tmp_path, said.append) == []
    assert says in said[0]
    assert record.path.exists()


def test_a_record_whose_lock_is_another_users_is_said_and_ends_nothing(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = killed(tmp_path, made), killed(tmp_path, made)
    opened = os.open

    def refusing(path: Path, *rest: int) -> int:
        if path == theirs.path.with_suffix(".lock"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest)

    monkeypatch.setattr("runner.session_record.os.open", refusing)
    said: list[str] = []
    assert [page.parent.name for page in report_unfinished(tmp_path, said.append)] == [ours.path.stem]
    assert said[0].startswith(f"{theirs.path}: whether this session was killed cannot be told ([Errno 13] Permission denied")
    assert theirs.path.exists()
    assert not alive(theirs.path)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyError("a mistake of ours")])
def test_a_report_that_fails_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails(*_: object) -> Path:
        raise error

    record = killed(tmp_path)
    monkeypatch.setattr(unfinished, "_report", fails)
    said: list[str] = []
    with suppress(KeyError):
        assert report_unfinished(tmp_path, said.append) == []
        assert "its report cannot be made: [Errno 28]" in said[0]
    assert report_unfinished(tmp_path, said.append) == []
    assert record.path.with_suffix(".tried").exists()


def test_a_record_that_cannot_be_taken_away_ends_nothing(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    killed(tmp_path, made)
    monkeypatch.setattr(unfinished, "forget", refusing)
    said: list[str] = []
    assert report_unfinished(tmp_path, said.append) == []
    assert "Permission denied" in said[-1]
    assert report_unfinished(tmp_path, said.append) == []


def test_nights_out_of_reach_cost_no_report(made: Path, tmp_path: Path) -> None:
    (tmp_path / "nights").write_text("a file in the folder's place")
    killed(tmp_path, made, nights="nights")
    said: list[str] = []
    assert len(report_unfinished(tmp_path, said.append)) == 1
    assert "the killed session's runs are not kept: " in said[0]
