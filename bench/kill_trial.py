"""One trial of the kill campaign: a session of the suite, ended at a random moment of a random phase, and what is found afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import polars as pl

from bench.kill_platform import ENGINE, ROOT, Slot
from history.errors import AftershockError
from history.plan import Plan, ResolvedTarget
from history.reader import read_plan, read_table
from history.schema import EventKind
from kube.clients import Platform, ready
from kube.devices import healthy
from kube.inside import processes
from kube.journal import StoredJournal
from kube.leases import DURATION_S
from kube.select import read_target
from kube.undo import CORDONED_BY
from runner.messages import Kind, read_message
from runner.request import Request

PHASES = ("preflight", "baseline", "write_ahead", "inject", "confirm", "observe", "scene", "heal", "settle")
SPREAD_S = {"baseline": 3.0, "inject": 3.0, "confirm": 3.0, "observe": 5.0}
LONGEST_S = 75.0
REAPED_S = DURATION_S + 15.0  # a lease expires, the reaper looks every 2 s, an uncordon and some slack on a busy machine
BOOT_S = 25.0  # a machine whose power is back says so


@dataclass(slots=True)
class Trial:
    """One session under way and what became of it."""

    slot: Slot
    family: str
    how: str  # SIGKILL, SIGTERM, SIGINT
    phase: str
    delay_s: float
    run_dir: Path
    whole: bool = False  # a pytest session, else the child process that carries one run
    process: subprocess.Popen[str] | None = None
    ended_phase: str = ""
    asked_ns: int = 0
    exit_code: int | None = None
    seen: list[str] = field(default_factory=list)
    refused: str = ""

    def go(self, command: list[str]) -> None:
        """Start the session, end it at its moment, wait until it is gone."""
        log = self.run_dir.with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
            )
        watchdog = threading.Timer(LONGEST_S, self._strike)
        watchdog.start()
        if self.whole:
            threading.Timer(8 + 8 * self.delay_s, self._strike).start()  # its own start included
        for line in self.process.stdout or ():
            self._heard(line)
        self.exit_code = self.process.wait()
        watchdog.cancel()

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
        """Send the signal, once: SIGKILL to all of the tree at the same moment, others to its head, as a terminal or a CI system would."""
        assert self.process is not None  # noqa: S101 - for the type checker
        if self.asked_ns or self.process.poll() is not None:
            return
        self.asked_ns, self.ended_phase = time.time_ns(), self.seen[-1] if self.seen else "start"
        if self.how != "SIGKILL":
            self.process.send_signal(signal.Signals[self.how])
            return
        tree = descendants(self.process.pid)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in tree:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)


def descendants(pid: int) -> list[int]:
    """Return a process and everything below it, by their parents."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if entry.name.isdigit():
                children.setdefault(int((entry / "stat").read_text().rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def draw(rng: Random, slot: Slot, out: Path, number: int, *, kill: bool, whole: bool) -> Trial:
    """Draw family, signal, phase and moment of one trial."""
    phase = rng.choice(PHASES)
    how = "SIGKILL" if kill else rng.choice(("SIGTERM", "SIGINT"))
    delay_s = rng.uniform(0, SPREAD_S.get(phase, 1.0))
    return Trial(slot, rng.choice(slot.families), how, phase, delay_s, out / f"trial-{number}", whole)


def command(trial: Trial, folder: Path, seed: int) -> list[str]:
    """Return the session's command: the child process of one run, or a whole pytest session."""
    experiments, target = folder / "experiments", folder / f"{trial.slot.name}.yaml"
    name = trial.family.replace(" ", "-")
    if trial.whole:
        options = [f"--chaos-target={target}", f"--chaos-out={trial.run_dir}", f"--chaos-seed={seed}", "--chaos-profile=brief"]
        return [sys.executable, "-m", "pytest", "-m", "chaos", "-q", *options, f"--chaos-experiments={experiments}", "-k", name]
    request = Request(
        run_id=trial.run_dir.name + f"-{seed}",
        run_dir=trial.run_dir,
        experiment=experiments / f"{name}.yaml",
        experiments_root=experiments,
        target=target,
        seed=seed,
        profile="brief",
    )
    return [sys.executable, "-m", "runner.child", request.model_dump_json()]


def run_dir_of(trial: Trial) -> Path | None:
    """Return the folder of the trial's run, if it came to a plan."""
    found = [trial.run_dir, *trial.run_dir.glob("runs/*")]
    return next((path for path in found if (path / "plan.json").exists()), None)


def times(trial: Trial) -> dict[str, float]:
    """Return how long after the signal healing began, the last undo was done, and the platform was proven as before (s).

    It also notes in which phase the signal came, as the history tells.
    """
    folder = run_dir_of(trial)
    if folder is None:
        return {}
    events = read_table(folder, "events")
    phases = events.filter((pl.col("kind") == EventKind.PHASE.value) & (pl.col("t_ns") < trial.asked_ns)).sort("t_ns")["object"]
    trial.ended_phase = str(phases[-1]) if len(phases) else trial.ended_phase
    events = events.filter(pl.col("t_ns") >= trial.asked_ns)
    named = {"acknowledged_s": EventKind.HEAL_START, "undone_s": EventKind.FAULT_END, "clean_s": EventKind.HEAL_END}
    found = {name: events.filter(pl.col("kind") == kind.value)["t_ns"].max() for name, kind in named.items()}
    return {name: (int(t_ns) - trial.asked_ns) / 1e9 for name, t_ns in found.items() if isinstance(t_ns, int)}


def due_ns(trial: Trial, journals: list[StoredJournal]) -> int:
    """Return by when nothing of the trial may be left: the latest self-end of its journal, and the reaper's time for the rest."""
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
    if folder is None:
        return []
    plan = read_plan(folder)
    return [sentence for target in plan.targets for sentence in _seen_on(platform, plan, target)]


def _seen_on(platform: Platform, plan: Plan, target: ResolvedTarget) -> Iterator[str]:
    if target.kind == "Pod":
        yield from _seen_on_pod(platform, target)
        return
    node: Any = platform.core.read_node(target.node or target.name)
    if (node.metadata.annotations or {}).get(CORDONED_BY) == plan.run_id:
        yield f"node {target.name}: still cordoned"
    lease: Any = platform.coordination.read_namespaced_lease(node.metadata.name, "kube-node-lease")
    if not ready(node) or (platform.server_time() - lease.spec.renew_time).total_seconds() > DURATION_S:
        yield f"node {target.name}: still silent"
    allocatable, total = healthy(node, platform.target.gpu_resource)
    if target.kind == "Device" and allocatable < total:
        yield f"device {target.name} of {target.node}: still lost"


def _seen_on_pod(platform: Platform, target: ResolvedTarget) -> Iterator[str]:
    pod: Any = read_target(platform, target)
    if pod is None or pod.metadata.deletion_timestamp is not None:
        return
    if platform.proxy_get(pod, 8000, "/") != 200:
        yield f"pod {target.name}: still out of reach"
        return
    try:
        found = processes(platform, target.name, target.namespace or "", "server")
    except AftershockError:
        return
    if any(one.state in {"T", "t"} and ENGINE in one.command for one in found):
        yield f"pod {target.name}: its engine is still stopped"
