"""Damage and its undo: one at a time, no damage after the undo, and a program that was killed holds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faults.node_agent.node import Refused
from faults.node_agent.storage import takeover
from faults.node_agent.storage.beside import StorageFailed
from faults.node_agent.storage.takeover import damaging, pass_by, standby, undoing, write_outcome

HOLD = """
from pathlib import Path; import sys, time; from faults.node_agent.storage.takeover import damaging
with damaging(Path(sys.argv[1])) as it:
"""
WAIT = HOLD + " print(it, flush=True); time.sleep(60)"


def holder(outcome: Path, program: str = WAIT) -> subprocess.Popen[str]:
    started = subprocess.Popen([sys.executable, "-c", program, str(outcome)], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "True\n"
    return started


def test_the_undo_ends_the_damage_and_takes_its_place(tmp_path: Path) -> None:
    outcome = tmp_path / "outcome.json"
    with holder(outcome) as at_work:
        assert (tmp_path / "outcome.json.pid").read_text() == str(at_work.pid)
        with undoing(outcome):
            assert at_work.wait(10) == -signal.SIGTERM
            assert (tmp_path / "outcome.json.pid").read_text() == str(os.getpid())
            with damaging(outcome) as allowed:
                assert not allowed


def test_a_program_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    outcome = tmp_path / "outcome.json"
    with holder(outcome) as at_work:
        at_work.kill()
        at_work.wait(10)
    with undoing(outcome):
        pass


def test_what_was_undone_is_not_damaged_again_and_can_be_undone_again(tmp_path: Path) -> None:
    outcome = tmp_path / "outcome.json"
    write_outcome(outcome, {"said": "good"})
    with damaging(outcome) as allowed:
        assert not allowed
    with undoing(outcome):
        assert outcome.read_text() == '{"said": "good"}'


def test_one_that_does_not_end_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = tmp_path / "outcome.json"
    monkeypatch.setattr(takeover, "LIMIT_S", 0.3)
    deaf = HOLD + " import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(it, flush=True); time.sleep(60)"
    with holder(outcome, deaf) as at_work:
        with pytest.raises(StorageFailed, match=f"process {at_work.pid}: told to end"), undoing(outcome):
            pass
        at_work.kill()


def test_a_process_that_is_none_of_ours_is_not_told_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = tmp_path / "outcome.json"
    monkeypatch.setattr(takeover, "LIMIT_S", 0.3)
    with subprocess.Popen(["sleep", "60"]) as server, damaging(outcome):
        (tmp_path / "outcome.json.pid").write_text(str(server.pid))  # as whoever has the lock is numbered in another pod
        with pytest.raises(StorageFailed, match="still at work"), undoing(outcome):
            pass
        assert server.poll() is None
        server.kill()


def test_a_standby_waits_until_somebody_has_undone_it_or_its_time_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "STANDBY_S", 0.01)
    outcome = tmp_path / "outcome.json"
    begun_s = time.monotonic()
    standby(lambda: outcome, 0.1)
    assert time.monotonic() - begun_s >= 0.1
    write_outcome(outcome, {"said": "good"})
    standby(lambda: outcome, 1000)


def test_a_standby_that_does_not_find_its_server_does_not_stand(capsys: pytest.CaptureFixture[str]) -> None:
    def nowhere() -> Path:
        raise Refused("no process has it")

    with pytest.raises(Refused):
        standby(nowhere, 1000)
    assert not capsys.readouterr().out


def test_of_two_programs_on_one_disk_the_second_passes_by(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = tmp_path / "outcome.json"
    pass_by(outcome)
    assert "at work on the same disk" in capsys.readouterr().out
    write_outcome(outcome, {"said": "good"})
    with pytest.raises(Refused, match="its undo was here before"):
        pass_by(outcome)
