"""A load generator is ended by its folder alone: one of another run, and whatever else the machine runs, is left."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from platform import node as machine

import psutil
import pytest

from history.errors import UndoFailed
from safety import fault_steps
from safety.load_process import PROGRAM
from safety.undo import undo_all, undo_entry
from safety.undo_journal import Undo, UndoKind
from testing.platform.fake_cluster import FakeCluster
from testing.platform.fake_run import live_run

STUBBORN = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); sys.stdin.read()"
READS = "import sys; print(flush=True); sys.stdin.read()"


@contextmanager
def running(code: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def undone(folder: Path, on: str = "") -> str:
    entry = Undo(kind=UndoKind.END_LOAD, activity="act", object=str(folder), detail=on or machine(), ends_by_ns=1)
    return undo_entry(FakeCluster().platform(), entry)


def test_the_one_that_writes_there_is_ended_and_no_other(tmp_path: Path) -> None:
    with (
        running(READS, PROGRAM, "run", str(tmp_path / "act")) as ours,
        running(READS, PROGRAM, "run", str(tmp_path / "other")) as other,
        running(READS, "something.else", str(tmp_path / "act")) as foreign,
    ):
        assert undone(tmp_path / "act") == "load generator of act: ended"
        assert ours.poll() is not None
        assert other.poll() is None
        assert foreign.poll() is None


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    with running(STUBBORN, PROGRAM, str(tmp_path)) as ours:
        assert undone(tmp_path) == "load generator of act: ended"
        assert ours.poll() is not None


def test_nothing_left_to_end_is_success_here_and_elsewhere(tmp_path: Path) -> None:
    assert undone(tmp_path) == "load generator of act: it does not run: it ended with its time, or with the suite"
    assert "does not run; it was one of machine elsewhere" in undone(tmp_path, "elsewhere")


def refusing(monkeypatch: pytest.MonkeyPatch, order: str, error: psutil.Error) -> None:
    def refuse(_process: psutil.Process) -> None:
        raise error

    monkeypatch.setattr(psutil.Process, order, refuse)


@pytest.mark.parametrize(("order", "code"), [("terminate", READS), ("kill", STUBBORN)])
def test_one_of_another_user_is_said_and_left(order: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(code, PROGRAM, str(tmp_path)) as theirs:
        refusing(monkeypatch, order, psutil.AccessDenied(theirs.pid))
        with pytest.raises(UndoFailed, match=rf"act: process {theirs.pid} is another user's, .* kill {theirs.pid}, then heal again"):
            undone(tmp_path)
        assert theirs.poll() is None


def test_one_that_ends_before_it_is_told_needs_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_late(process: psutil.Process) -> None:
        process.send_signal(signal.SIGKILL)
        raise psutil.NoSuchProcess(process.pid)

    with running(READS, PROGRAM, str(tmp_path)) as ours:
        monkeypatch.setattr(psutil.Process, "terminate", too_late)
        assert undone(tmp_path) == "load generator of act: ended"
        assert ours.poll() is not None


def test_what_is_left_is_undone_after_one_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = live_run(FakeCluster(), tmp_path, {"act": []})
    with running(READS, PROGRAM, str(tmp_path / "theirs")) as theirs, running(READS, PROGRAM, str(tmp_path / "ours")) as ours:
        for name in ("ours", "theirs"):
            run.journal.will_undo(fault_steps.entry(run, UndoKind.END_LOAD, str(tmp_path / name), detail=machine()))
        real = psutil.Process.terminate
        refused = psutil.AccessDenied(theirs.pid)

        def terminate(process: psutil.Process) -> None:
            if process.pid == theirs.pid:
                raise refused
            real(process)

        monkeypatch.setattr(psutil.Process, "terminate", terminate)
        with pytest.raises(UndoFailed, match="is another user's"):
            undo_all(run, {UndoKind.END_LOAD})
        assert ours.poll() is not None
        assert [entry.object for entry in run.journal.entries() if not entry.done_ns] == [str(tmp_path / "theirs")]
