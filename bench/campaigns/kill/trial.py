"""One trial of the kill campaign: a session of the suite, ended at a random moment of a random phase, and what is found afterwards."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from random import Random

import polars as pl
import psutil

from bench.campaigns.kill.platform import CUT_OFF, ENGINE, Slot, experiment_file
from bench.common.tables import ROOT
from history.errors import AftershockError
from history.plan import Plan, ResolvedTarget
from history.reader import read_plan, read_table
from history.schema import EventKind
from kube.client import Platform, ready
from kube.container_exec import processes
from kube.devices import healthy
from kube.selection import read_pod
from runner.messages import Kind, read_message
from runner.request import Request
from safety.leases import DURATION_S
from safety.undo import CORDONED_BY
from safety.undo_journal import StoredJournal

Ending = Callable[["subprocess.Popen[str]"], None]
PHASES = ("preflight", "baseline", "write_ahead", "inject", "confirm", "observe", "scene", "heal", "settle")
SPREAD_S = {"baseline": 3.0, "inject": 3.0, "confirm": 3.0, "observe": 5.0}
KILLED = "SIGKILL"
STUCK_S = 240.0  # a session that does not come to its moment is ended then
POLL_S, WHOLE_S, LOOKS = 0.5, 8.0, 3
REAPED_S = DURATION_S + 15.0  # a lease expires, the reaper looks every 2 s, an uncordon and some slack on a busy machine
BOOT_S = 25.0  # a machine whose power is back says so


@dataclass(slots=True)
class Trial:
    """One session under way and what became of it."""

    number: int
    slot: Slot
    family: str
    how: str  # as the table names it
    ending: Ending
    phase: str
    delay_s: float
    folder: Path  # see bench.campaigns.kill.slots.write_files
    whole: bool = False  # a pytest session, else the child process that carries one run
    heals: bool = False  # the suite lives on and heals by itself: nothing is waited for once it has ended
    within: tuple[str, ...] = ()  # the program that runs the session somewhere else, and its arguments
    process: subprocess.Popen[str] | None = None
    ended_phase: str = ""
    asked_ns: int = 0
    in_force: bool = False
    exit_code: int | None = None
    seen: list[str] = field(default_factory=list)
    refused: str = ""

    @property
    def run_dir(self) -> Path:
        """Where the session keeps its run, or its runs."""
        return self.folder / "runs" / f"trial-{self.number}"

    def go(self) -> None:
        """Start the session, strike at its moment, wait until it is gone."""
        log = self.run_dir.with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [*self.within, *command(self)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        watchdog = threading.Timer(STUCK_S, self._strike)
        watchdog.start()
        if self.whole:
            threading.Thread(target=self._await_run, daemon=True).start()
        for line in self.process.stdout or ():
            self._heard(line)
        self.exit_code = self.process.wait()
        watchdog.cancel()

    def _await_run(self) -> None:
        """Strike at a random moment of the run that a pytest session carries out; its own start is not what is tested here."""
        assert self.process is not None  # noqa: S101 - for the type checker
        while run_dir_of(self) is None and self.process.poll() is None:
            time.sleep(POLL_S)
        threading.Timer(WHOLE_S * self.delay_s, self._strike).start()

    def _heard(self, line: str) -> None:
        message = read_message(line)
        if message is None:
            return
        if message.kind is Kind.REFUSED:
            self.refused = message.text()
        if message.kind is Kind.PHASE:
            self.seen.append(message.text("name"))
            if message.text("name").replace("-", "_") == self.phase and not self.whole:
                threading.Timer(self.delay_s, self._strike).start()

    def _strike(self) -> None:
        """Do what ends this session, once, unless it has ended before."""
        if self.asked_ns or self.process is None or self.process.poll() is not None:
            return
        self.asked_ns, self.ended_phase = time.time_ns(), self.seen[-1] if self.seen else "start"
        self.ending(self.process)


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL all of the tree at the same moment."""
    with contextlib.suppress(psutil.NoSuchProcess):
        head = psutil.Process(process.pid)
        tree = [head, *head.children(recursive=True)]
        for number, member in product((signal.SIGSTOP, signal.SIGKILL), tree):
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(number)


def ask(number: signal.Signals, process: subprocess.Popen[str]) -> None:
    """Send a signal to the head, as a terminal or a CI system would."""
    process.send_signal(number)


def draw(rng: Random, slot: Slot, folder: Path, number: int, phases: Sequence[str] = PHASES) -> Trial:
    """Draw family, phase and moment of one trial that ends in SIGKILL."""
    phase = rng.choice(phases)
    delay_s = rng.uniform(0, SPREAD_S.get(phase, 1.0))
    return Trial(number, slot, rng.choice(slot.families), KILLED, kill, phase, delay_s, folder)


def command(trial: Trial) -> list[str]:
    """Return the session's command: the child process of one run, or a whole pytest session."""
    file, target = experiment_file(trial.folder, trial.family), trial.folder / f"{trial.slot.name}.yaml"
    if trial.whole:
        options = [f"--chaos-target={target}", f"--chaos-out={trial.run_dir}", f"--chaos-seed={trial.number}", "--chaos-profile=brief"]
        return [sys.executable, "-m", "pytest", "-m", "chaos", "-q", *options, f"--chaos-experiments={file.parent}"]
    request = Request(
        run_id=trial.run_dir.name + f"-{trial.number}",
        run_dir=trial.run_dir,
        experiment=file,
        experiments_root=file.parent,
        target=target,
        seed=trial.number,
        profile="brief",
    )
    return [sys.executable, "-m", "runner.run.child", request.model_dump_json()]


def run_dir_of(trial: Trial) -> Path | None:
    """Return the folder of the trial's run, if it came to a plan."""
    folders = [trial.run_dir, *trial.run_dir.glob("runs/*")]
    return next((path for path in folders if (path / "plan.json").exists()), None)


def times(trial: Trial) -> dict[str, float]:
    """Return how long after the signal healing began, the last undo was done, and the platform was proven as before (s).

    It also notes in which phase the signal came and whether a fault was in force then, as the history tells.
    """
    folder = run_dir_of(trial)
    if folder is None:
        return {}
    events = read_table(folder, "events")
    phases = events.filter((pl.col("kind") == EventKind.PHASE.value) & (pl.col("t_ns") < trial.asked_ns)).sort("t_ns")["object"]
    trial.ended_phase = str(phases[-1]) if len(phases) else trial.ended_phase
    trial.in_force = in_force(events, trial.asked_ns)
    events = events.filter(pl.col("t_ns") >= trial.asked_ns)
    named = {"acknowledged_s": EventKind.HEAL_START, "undone_s": EventKind.FAULT_END, "clean_s": EventKind.HEAL_END}
    last_ns = {name: events.filter(pl.col("kind") == kind.value)["t_ns"].max() for name, kind in named.items()}
    return {name: (int(t_ns) - trial.asked_ns) / 1e9 for name, t_ns in last_ns.items() if isinstance(t_ns, int)}


def in_force(events: pl.DataFrame, t_ns: int) -> bool:
    """Tell whether a fault had begun and had not ended at ``t_ns``, by the events of its run."""
    before = events.filter(pl.col("t_ns") <= t_ns)["kind"]
    return EventKind.FAULT_START.value in before and EventKind.FAULT_END.value not in before


def due_ns(trial: Trial, journals: list[StoredJournal]) -> int:
    """Return by when nothing of the trial may be left: the latest self-end of its journal, and the reaper's time for the rest.

    Nothing is waited for if the suite healed by itself, or came to no plan.
    """
    if trial.heals or run_dir_of(trial) is None:
        return trial.asked_ns
    run_id = run_id_of(trial)
    entries = [entry for journal in journals if journal.header.run_id == run_id for entry in journal.remaining]
    boots = any(entry.kind == "power-on" for entry in entries)
    ends = [entry.ends_by_ns for entry in entries if entry.kind != "delete-pod"]  # a fault pod's journal counts its start, too
    return max([trial.asked_ns + int(REAPED_S * 1e9), *ends]) + int(BOOT_S * 1e9 * boots)


def run_id_of(trial: Trial) -> str:
    """Return the run's id; empty if it came to no plan."""
    folder = run_dir_of(trial)
    return read_plan(folder).run_id if folder else ""


def alive(trial: Trial, platform: Platform) -> list[str]:
    """Return every effect of the trial's fault that can still be seen, as sentences; none if it came to no plan."""
    folder = run_dir_of(trial)
    plan = read_plan(folder) if folder else None
    return [sentence for target in plan.targets for sentence in _seen_on(platform, plan, target)] if plan else []


def _seen_on(platform: Platform, plan: Plan, target: ResolvedTarget) -> Iterator[str]:
    if target.kind == "Pod":
        yield from _seen_on_pod(platform, plan, target)
        return
    node = platform.node(target.node or target.name)
    if (node.metadata.annotations or {}).get(CORDONED_BY) == plan.run_id:
        yield f"node {target.name}: still cordoned"
    lease = platform.coordination.read_namespaced_lease(node.metadata.name, "kube-node-lease")
    if not ready(node) or (platform.server_time() - lease.spec.renew_time).total_seconds() > DURATION_S:
        yield f"node {target.name}: still silent"
    allocatable, total = healthy(node, platform.region.gpu_resource)
    if target.kind == "Device" and allocatable < total:
        yield f"device {target.name} of {target.node}: still lost"


def _seen_on_pod(platform: Platform, plan: Plan, target: ResolvedTarget) -> Iterator[str]:
    pod = read_pod(platform, target)
    if pod is None or pod.metadata.deletion_timestamp is not None:
        return
    if plan.experiment.title == CUT_OFF:
        # one unanswered request is a busy machine; a pod that is cut off answers none
        if all(platform.proxy_get(pod, 8000, "/") != 200 for _ in range(LOOKS)):
            yield f"pod {target.name}: still out of reach"
        return
    try:
        running = processes(platform, target.name, target.namespace or "", "server")
    except AftershockError:
        return
    if any(process.state in {"T", "t"} and ENGINE in process.command for process in running):
        yield f"pod {target.name}: its engine is still stopped"
