"""A night: healed before and after, its exit code the session's, a killed session reported all the same."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from history.errors import TargetRefused
from runner.commands import nightly
from runner.commands.nightly import NightOptions, night_of
from runner.session_record import NAME, SessionRecord, SessionState


class Stage:
    """What healing finds, before and after, and how the session ends."""

    def __init__(self, code: int, *heals: bool | Exception) -> None:
        self.code, self.heals, self.done = code, list(heals), list[str]()

    def heal(self, _target: Path) -> bool:
        self.done.append("heal")
        found = self.heals.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def run_session(self, _command: Sequence[str], environment: Mapping[str, str]) -> int:
        self.done.append("session")
        self.during(environment[NAME])
        return self.code

    def during(self, name: str) -> None:
        """Do what a session does that leaves nothing."""


class Killed(Stage):
    """A session that leaves its record, since it was killed, beside those of others."""

    def __init__(self, out: Path, *heals: bool | Exception) -> None:
        super().__init__(-9, *heals)
        self.out = out
        self.record: SessionRecord | None = None

    def during(self, name: str) -> None:
        self.record = SessionRecord.begin(self.out, SessionState(command="pytest -m chaos", root=self.out), name)
        os.close(self.record.fd)


def ended(monkeypatch: pytest.MonkeyPatch, stage: Stage, out: Path) -> int:
    monkeypatch.setattr(nightly, "_heal", stage.heal)
    monkeypatch.setattr(nightly, "run_session", stage.run_session)
    return nightly.nightly(NightOptions(Path("t.yaml"), out, "", "", ()))


def asked(*words: str, **environment: str) -> NightOptions:
    parser = argparse.ArgumentParser()
    nightly.add_to(parser)
    return night_of(parser.parse_args(words), environment)


def test_a_night_is_a_session_that_keeps_its_night() -> None:
    here = Path.cwd()
    assert asked().command() == [
        sys.executable, "-m", "pytest", "-m", "chaos", f"--chaos-target={here}/targets/local.yaml", f"--chaos-out={here}/reports/out",
        f"--chaos-nights={here}/reports/out/nights",
    ]  # fmt: skip


def test_paths_count_from_the_current_folder_wherever_pytests_root_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    night = asked("--target", "a.yaml", "--out", "o", "--nights", "n")
    assert night == NightOptions(tmp_path / "a.yaml", tmp_path / "o", str(tmp_path / "n"), "", ())


def test_options_come_before_the_environment_and_the_rest_is_handed_to_pytest() -> None:
    night = asked("--target", "a.yaml", "--max-minutes", "30", "--", "-k", "x or y", AFTERSHOCK_TARGET="b.yaml", AFTERSHOCK_OUT="/reports")
    assert night == NightOptions(Path.cwd() / "a.yaml", Path("/reports"), "/reports/nights", "30", ("-k", "x or y"))
    assert night.command()[-3:] == ["--chaos-max-minutes=30", "-k", "x or y"]
    assert asked(AFTERSHOCK_NIGHTS="s3://b/p", AFTERSHOCK_MAX_MINUTES="9").command()[-2:] == [
        "--chaos-nights=s3://b/p",
        "--chaos-max-minutes=9",
    ]


@pytest.mark.parametrize(
    ("code", "after", "ends"),
    [
        (0, True, 0),
        (10, True, 10),
        (13, True, 13),
        (0, False, 1),
        (10, False, 10),
        (0, TargetRefused("nobody answers"), 1),
        (1, TargetRefused("nobody answers"), 1),
    ],
)
def test_the_exit_code_is_the_sessions_and_1_where_something_is_left_after_one_that_held(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int, after: bool | Exception, ends: int
) -> None:
    stage = Stage(code, True, after)
    assert ended(monkeypatch, stage, tmp_path) == ends
    assert stage.done == ["heal", "session", "heal"]


def test_nothing_runs_while_an_earlier_night_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(0, False)
    assert ended(monkeypatch, stage, tmp_path) == 11
    assert stage.done == ["heal"]
    said = capsys.readouterr().out
    assert "night: exit code 11: what an earlier night left cannot be ended, so nothing was run; " in said
    assert said.endswith("report: none, this night wrote none\n")


def test_a_killed_session_is_healed_after_before_its_report_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Killed(tmp_path, True, True)

    def breaks(*_: object) -> list[Path]:
        stage.done.append("report")
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(nightly, "report_unfinished", breaks)
    with pytest.raises(KeyError):
        ended(monkeypatch, stage, tmp_path)
    assert stage.done == ["heal", "session", "heal", "report"]
    assert "night: " not in capsys.readouterr().out


def test_only_its_own_killed_session_is_reported_where_the_latest_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = SessionRecord.begin(tmp_path, SessionState(command="pytest -m chaos --chaos-seed=9", root=tmp_path))
    os.close(other.fd)
    assert ended(monkeypatch, Killed(tmp_path, True, True), tmp_path) == 137
    page = tmp_path / "latest" / "index.html"
    assert "This night is incomplete: the session was killed" in page.read_text()
    assert "--chaos-seed=9" not in page.read_text()
    assert "--chaos-seed=9" in (tmp_path / "unfinished" / other.path.stem / "index.html").read_text()
    assert f"night: exit code 137: signal 9 killed the session; report: {page}" in capsys.readouterr().out


def test_the_session_of_another_target_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nightly, "until", lambda look, *_: look() or pytest.fail("it waits"))
    other = SessionRecord.begin(tmp_path, SessionState(command="pytest -m chaos", root=tmp_path))
    try:
        assert ended(monkeypatch, Killed(tmp_path, True, True), tmp_path) == 137
        assert other.path.exists()
    finally:
        other.end()


def test_its_own_killed_session_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Outlived(Killed):
        def during(self, name: str) -> None:
            self.record = SessionRecord.begin(self.out, SessionState(command="pytest -m chaos", root=self.out), name)

    stage, looks = Outlived(tmp_path, True, True), list[bool]()

    def until(look: Callable[[], bool], *_: float) -> bool:
        looks.append(look())
        assert stage.record is not None
        os.close(stage.record.fd)
        looks.append(look())
        return True

    monkeypatch.setattr(nightly, "until", until)
    assert ended(monkeypatch, stage, tmp_path) == 137
    assert looks == [False, True]


def test_the_last_line_says_what_is_left_and_names_no_page_of_an_earlier_night(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "latest" / "index.html"
    page.parent.mkdir()
    page.write_text("an earlier night's")
    assert ended(monkeypatch, Stage(0, True, False), tmp_path) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("night: exit code 1: every experiment came out as expected; something is left after it")
    assert last.endswith("report: none, this night wrote none")


def test_a_session_that_was_killed_before_it_had_a_record_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, Stage(-15, True, True), tmp_path) == 143
    assert not (tmp_path / "latest").exists()
    assert "night: exit code 143: signal 15 killed the session; report: none, this night wrote none" in capsys.readouterr().out
