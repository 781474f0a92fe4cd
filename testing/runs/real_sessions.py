"""Whole sessions of ``pytest -m chaos`` on a real platform, each in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import yaml

from history.reader import read_plan, read_table
from history.result import RunVerdict
from history.schema import EventKind
from kube.client import Platform
from runner.preflight.platform_health import complaints, look
from testing.platform.fake_cluster import ROOT
from testing.platform.targets import changed, unhurried
from testing.waiting import PATIENCE_S, wait_for
from verdict.floor import floor_of, is_below
from verdict.words import seconds

LOCAL = ROOT / os.environ.get("AFTERSHOCK_TARGET", "targets/local.yaml")  # or another cluster with the reference platform
SESSION_S = 1500.0  # the longest takes three minutes on two idle cores; only ends what would hang


@dataclass(slots=True)
class Session:
    """One session and where it keeps its runs."""

    process: subprocess.Popen[str]
    out: Path
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def run_dir(self) -> Path:
        [found] = list((self.out / "runs").iterdir())
        return found

    def events(self, kind: EventKind, name: str = "") -> list[int]:
        """Return the times (ns) of the events of ``kind`` so far."""
        if not any((self.out / "runs").glob("*/events*")):
            return []
        rows = read_table(self.run_dir, "events").filter(pl.col("kind") == kind.value)
        return (rows.filter(pl.col("object") == name) if name else rows)["t_ns"].to_list()

    def until(self, kind: EventKind, name: str = "") -> Session:
        """Wait until the run has recorded an event."""
        wait_for(lambda: self.process.poll() is not None or bool(self.events(kind, name)), f"{kind} {name}", SESSION_S)
        assert self.process.poll() is None, self.said
        return self

    def end(self, patience_s: float = SESSION_S) -> int:
        return self.process.wait(patience_s)

    @property
    def verdict(self) -> RunVerdict:
        return RunVerdict.model_validate_json((self.run_dir / "verdict.json").read_text())

    def kill(self) -> None:
        """SIGKILL the session and its child at once: nobody is left to heal."""
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=True).stdout.split()
        for pid in (self.process.pid, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@dataclass(slots=True)
class Suite:
    """Starts sessions, with experiments and target files of the test's own."""

    folder: Path
    base: Path = LOCAL
    sessions: list[Session] = field(default_factory=list)

    def experiment(self, name: str, **changes: object) -> Path:
        """Write the shipped experiment ``name`` with ``changes`` to its keys (method, rollbacks, ...; ``extension`` for ours)."""
        raw = yaml.safe_load((ROOT / "experiments" / f"{name}.yaml").read_text())
        raw["extensions"][0] |= changes.pop("extension", {})
        file = self.folder / "experiments" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(raw | changes))
        return file

    def target(self, **changes: object) -> Path:
        """Write the target file ``base`` with ``changes``, and with a load and an SLO that a brief baseline on a busy machine supports.

        It is another target to the lock of this host only if its context changes.
        """
        file = self.folder / "target.yaml"
        written = unhurried(yaml.safe_load(self.base.read_text()))
        file.write_text(yaml.safe_dump(changed(written, **changes)))
        return file

    def start(self, *arguments: str, own: bool = False, target: Path | None = None) -> Session:
        """Start a session, brief if ``arguments`` say nothing else; ``own``: with the experiments that the test wrote.

        Without a ``target`` it is on ``base``, with the SLO of :meth:`target`.
        """
        number = len(self.sessions)
        out, log = self.folder / f"out{number}", self.folder / f"log{number}.txt"
        options = ["--chaos-profile=brief", f"--chaos-target={target or self.target()}", f"--chaos-out={out}"]
        command = [sys.executable, "-m", "pytest", "-m", "chaos", *options, *arguments]
        if own:
            command.append(f"--chaos-experiments={self.folder / 'experiments'}")
        with log.open("w") as output:
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.sessions.append(Session(process, out, log))
        return self.sessions[-1]

    def run(self, *arguments: str, own: bool = False, target: Path | None = None) -> tuple[int, Session]:
        session = self.start(*arguments, own=own, target=target)
        return session.end(), session

    def below_floor(self) -> list[str]:
        """Return what was quicker than its floor in the runs of all sessions that were judged: the platform's timers hold in each."""
        return [text for session in self.sessions for run in judged_runs(session.out) for text in below_floor_in(run)]

    def close(self) -> None:
        """End what still runs, and let it heal."""
        for session in self.sessions:
            if session.process.poll() is None:
                session.process.send_signal(signal.SIGTERM)
                session.process.wait(PATIENCE_S)


def judged_runs(out: Path) -> list[Path]:
    """Return the folders of the runs under ``out`` that were judged."""
    return sorted(file.parent for file in out.glob("runs/*/verdict.json"))


def below_floor_in(run_dir: Path) -> list[str]:
    """Return a sentence for each recovery of a stored run that was quicker than its floor. Raises HistoryError: its plan cannot be read."""
    verdict, floor = RunVerdict.model_validate_json((run_dir / "verdict.json").read_text()), read_plan(run_dir).floor
    return [
        f"{run_dir.name}: {measured.name} was {seconds(measured.value)}, quicker than its floor of "
        f"{seconds(floor_of(floor, measured.name))}: {floor.sentence}; look which of these timers is another"
        for measured in verdict.measurements
        if floor is not None and is_below(floor, measured)
    ]


def unhealthy(platform: Platform) -> list[str]:
    return complaints(platform, look(platform))
