"""The real load process against the real scripted server, for tests and benchmarks that need a run with a known truth."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from history.budgets import Budgets
from history.plan import Plan, Timers, write_plan
from history.workloads import Mix, Slo
from testing.histories.plain_plan import plain_plan
from testing.load.program import ROOT, program
from testing.load.scripted_server import write_prompts

MIX = (Mix(weight=1, max_tokens=(2, 8)), Mix(weight=1, stream=True, max_tokens=(2, 8)))


@dataclass(frozen=True, slots=True)
class Server:
    """A scripted server that runs; ``log`` is where it writes what happened."""

    port: int
    pid: int
    log: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def truth(self) -> dict[str, Any]:
        """Return the log."""
        truth: dict[str, Any] = json.loads(self.log.read_text())
        return truth


@contextmanager
def scripted_server(log: Path, script: list[dict[str, Any]] | None = None, *options: str) -> Iterator[Server]:
    """Run a scripted server until the block ends; its script's clock starts at the first request. The log is whole afterwards."""
    given = ("--script", json.dumps(script or []), "--log", str(log), "--clock", "first-request", *options)
    with program("testing.load.scripted_server", *given) as server:
        yield Server(server.port, server.pid, log)


SLO = Slo(ratio=0.99, latency_ms=500)
OUT_OF_REACH = {"in_flight_cap": 5_000, "timeout_s": 60.0, "connect_timeout": 60.0}


def write_load_plan(run_dir: Path, url: str, slo: Slo = SLO, **load: object) -> Plan:
    """Write ``plan.json`` (hold: 1 s) and a prompts file into ``run_dir``; ``load`` overrides fields of :class:`history.plan.Load`.

    Cap and time-outs are out of reach: a machine that stands still for seconds owes as many seconds of arrivals at once, all of them are
    sent, and none is given up.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    prompts = str(write_prompts(run_dir / "prompts.jsonl"))
    plan = plain_plan(
        run_id="run-under-test",
        created_ns=time.time_ns(),
        experiment={"id": "t/load", "title": "load", "fault": "none"},
        slo=slo,
        budgets=Budgets(),
        load={"url": url, "rate_rps": 100.0, "mix": MIX, "prompts": prompts, "horizon_s": 1.0, **OUT_OF_REACH} | load,
        timers=Timers(baseline_s=1, hold_s=1, confirm_s=1, deadline_s=1, heal_s=1),
    )
    write_plan(plan, run_dir)
    return plan


def start_load(run_dir: Path, *options: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the load of ``run_dir``."""
    command = [sys.executable, "-m", "workloads.load", "run", str(run_dir), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def finish(load: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a load to end; return its exit code and what it said on stdout and stderr."""
    said, errors = load.communicate(timeout=300)
    return load.returncode, said, errors


def beside_requests(errors: str) -> str:
    """Return what a load said on stderr but for how single requests ended, of which it names each kind once."""
    return "".join(line for line in errors.splitlines(keepends=True) if not re.match(r"load: load-\d+: request \d+ at ", line))


def rows_written(run_dir: Path, table: str = "requests") -> int:
    """Return how many lines of ``table`` have reached the kernel so far."""
    return sum(file.read_bytes().count(b"\n") for file in run_dir.glob(f"{table}.*.jsonl"))
