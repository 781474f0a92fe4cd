"""``python -m bench.accuracy.load``: how well the load keeps its schedule, beside what locust's own users do in the same run.

Two questions. *Speed*: at 2,000 and 5,000 requests/s of 50 users with kept connections, and at 1,000 with a connection each, against a
trivial server on the other core: how late are requests sent, and is every one recorded? *Truth*: a server of 5 ms is stopped for 3 s
under 200 requests/s. Which share of users does the generator see harmed (slower than 100 ms), against the share by construction, and how
long is it silent?

Each generator as it is meant to be run: the dispatcher asks for real-time scheduling (and gets it where that is permitted).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.console import Console
from rich.table import Table

from bench.accuracy.trivial_server import TEXT
from history.connection_policy import ConnectionPolicy
from history.reader import read_run
from history.workloads import Mix
from testing.load.load_runs import finish, start_load, write_load_plan
from testing.load.program import ROOT, program

Floats = npt.NDArray[np.float64]
CONSOLE = Console(width=160)
GENERATOR_CPU, SERVER_CPU = 0, (os.cpu_count() or 1) - 1
USERS, SHARED, EACH = (ConnectionPolicy(mode=mode) for mode in ("users", "shared", "each_request"))
SPEED_S, FREEZE_RPS, FREEZE_RUN_S, FROZEN_S, SERVICE_S, HARMED_S = 8.0, 200, 20.0, 3.0, 0.005, 0.1


@dataclass(frozen=True, slots=True)
class Sent:
    """What one generator did, in order of ``sent_s``; all arrays have shape (requests,), times in s (wall clock)."""

    name: str
    sent_s: Floats
    lag_ms: Floats  # against the schedule; stock users: against their own pace
    latency_s: Floats  # since the user asked; stock users know only since it was sent
    of_schedule: float  # share of the scheduled requests that got the right answer and a row; stock users: that were sent at all
    begin_s: float


@contextmanager
def trivial_server(service_ms: float = 0.0) -> Iterator[tuple[str, int]]:
    """Run a trivial server on its core; give its URL and process id."""
    with program("bench.accuracy.trivial_server", "--cpu", str(SERVER_CPU), "--service-ms", str(service_ms)) as server:
        try:
            yield server.url, server.pid
        finally:
            os.kill(server.pid, signal.SIGCONT)


def dispatcher(
    url: str, rate_rps: float, horizon_s: float, arrivals: str, *, freeze: Freeze | None = None, connections: ConnectionPolicy = USERS
) -> Sent:
    """Run this project's load."""
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder)
        prompts = run_dir / "bench-prompts"
        prompts.write_text(json.dumps({"prompt": "hello", "completion": TEXT}) + "\n")
        load: dict[str, Any] = {"rate_rps": rate_rps, "horizon_s": horizon_s, "arrivals": arrivals, "prompts": str(prompts)}
        load["connections"] = connections
        write_load_plan(run_dir, url, **load, in_flight_cap=10_000, timeout_s=10.0, mix=(Mix(weight=1, max_tokens=(8, 8)),))
        process = on_core(lambda: start_load(run_dir))
        assert process.stdout  # noqa: S101 - opened as a pipe
        begin_s = json.loads(process.stdout.readline())["origin_ns"] / 1e9
        if freeze:
            freeze.play(begin_s)
        code, _, errors = finish(process)
        if code:
            raise SystemExit(f"bench: the load ended with exit code {code}: {errors}")
        run = read_run(run_dir)
    rows = run.requests.filter(pl.col("outcome") == "ok", pl.col("valid")).sort("sent_ns")
    sent_s, asked_s, done_s = (rows[column].to_numpy() / 1e9 for column in ("sent_ns", "intended_ns", "done_ns"))
    name = f"open-loop dispatcher, {in_words(connections)}"
    return Sent(name, sent_s, (sent_s - asked_s) * 1e3, done_s - asked_s, len(sent_s) / run.schedule.height, begin_s)


def in_words(policy: ConnectionPolicy) -> str:
    """Return how users connect, for a table."""
    return {"users": f"{policy.users} users", "each_request": "a connection each", "shared": "shared connections"}[policy.mode]


def stock(url: str, rate_rps: float, horizon_s: float, users: int, freeze: Freeze | None = None) -> Sent:
    """Run ``users`` users of locust's own, each at its share of the rate."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stock.csv"
        command = [
            sys.executable, "-m", "locust", "-f", "bench/accuracy/stock_users.py", "--headless", "--host", url, "--loglevel", "CRITICAL",
            "--users", str(users), "--spawn-rate", str(users), "--run-time", f"{horizon_s:g}s",
            "--only-summary", "--exit-code-on-error", "0",
        ]  # fmt: skip
        environment = os.environ | {"STOCK_OUT": str(out), "STOCK_RPS_PER_USER": str(rate_rps / users)}
        process = on_core(
            lambda: subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        if freeze:
            freeze.play(time.time() + 2)  # its start-up; when it really began stands in its records
        process.wait()
        rows = pl.read_csv(out).sort("start_s")
    phase = pl.col("start_s") - pl.int_range(pl.len()).over("user") * users / rate_rps  # a user that keeps its pace keeps its phase
    lag_ms = rows.select((phase - phase.min().over("user")) * 1e3).to_series().to_numpy()
    sent_s, durations_s = rows["start_s"].to_numpy(), rows["duration_ms"].to_numpy() / 1e3
    of_schedule = rows.height / (rate_rps * horizon_s)
    return Sent(f"locust, {users} constant_throughput users", sent_s, lag_ms, durations_s, of_schedule, sent_s[0])


@dataclass(slots=True)
class Freeze:
    """Stops a process for a while; remembers when (s, wall clock)."""

    pid: int
    stopped_s: float = 0.0
    continued_s: float = 0.0

    def play(self, begin_s: float) -> None:
        """Stop it 8 s after ``begin_s``, for 3 s."""
        time.sleep(max(0.0, begin_s + 8 - time.time()))
        os.kill(self.pid, signal.SIGSTOP)
        self.stopped_s = time.time()
        time.sleep(FROZEN_S)
        self.continued_s = time.time()
        os.kill(self.pid, signal.SIGCONT)

    def truth(self, begin_s: float) -> float:
        """Return the share of users harmed, had they asked 200 times a second, evenly, from ``begin_s`` on.

        Who asks between the stop (less the service time) and the continuation is answered right after it; harmed are those of them
        who asked more than 100 ms before that.
        """
        asked_s = begin_s + np.arange(int(FREEZE_RPS * FREEZE_RUN_S)) / FREEZE_RPS
        harmed = (asked_s > self.stopped_s - SERVICE_S) & (asked_s < self.continued_s + SERVICE_S - HARMED_S)
        return float(harmed.mean())


def on_core(start: Callable[[], subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """Start a process on the generator's core (affinity is inherited)."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {GENERATOR_CPU})
    try:
        return start()
    finally:
        os.sched_setaffinity(0, before)


def verdict(value: float, bound: float, text: str) -> str:
    """Return ``value`` beside its upper bound."""
    return f"{text} (bound {bound:g}: {'reached' if value <= bound else 'MISSED'})"


def show_speed(rate_rps: float, runs: list[Sent]) -> None:
    """Print rate, lag and recorded share of each generator: our own, then users of locust's."""
    title = f"{rate_rps:g} requests/s offered for {SPEED_S:g} s"
    table = Table("generator", "requests/s", "of the schedule", "send lag p50 ms", "p99 ms", "max ms", title=title)
    for run in runs:
        lags = (f"{value:.2f}" for value in (*np.percentile(run.lag_ms, [50, 99]), run.lag_ms.max()))
        table.add_row(run.name, f"{len(run.sent_s) / SPEED_S:.0f}", f"{run.of_schedule:.1%}", *lags)
    CONSOLE.print(table)
    *ours, stock_users = runs
    for run in ours:
        p99, missing = float(np.percentile(run.lag_ms, 99)), 1 - run.of_schedule
        CONSOLE.print(verdict(p99, 2.0, f"p99 send lag at {rate_rps:g} requests/s, {run.name}: {p99:.2f} ms"))
        CONSOLE.print(verdict(missing, 0.0, f"scheduled requests without a right answer on record: {missing:.2%}"))
    behind = float(np.percentile(ours[0].lag_ms, 99)) / float(np.percentile(stock_users.lag_ms, 99))
    CONSOLE.print(f"the p99 lag of {ours[0].name} is {behind:.3g} of that of stock users against their own pace\n")


def show_freeze(runs: list[tuple[Sent, Freeze]]) -> None:
    """Print the harm that each generator saw beside the truth."""
    table = Table(
        "generator",
        "sent",
        "p99 ms",
        "harmed",
        "truth",
        "off by, points",
        "longest silence s",
        title="5 ms server stopped for 3 s under 200 requests/s",
    )
    for run, freeze in runs:
        harmed, truth = float((run.latency_s > HARMED_S).mean()), freeze.truth(run.begin_s)
        row = (
            f"{len(run.sent_s)}",
            f"{np.percentile(run.latency_s, 99) * 1e3:.1f}",
            f"{harmed:.2%}",
            f"{truth:.2%}",
            f"{(harmed - truth) * 100:+.2f}",
        )
        table.add_row(run.name, *row, f"{np.diff(run.sent_s).max():.3f}")
    CONSOLE.print(table)
    ours, freeze = runs[0]
    off = abs(float((ours.latency_s > HARMED_S).mean()) - freeze.truth(ours.begin_s)) * 100
    silence_ms = float(np.diff(ours.sent_s).max()) * 1e3
    CONSOLE.print(verdict(off, 1.0, f"harmed share off the truth by {off:.2f} points"))
    CONSOLE.print(verdict(silence_ms, 50.0, f"longest silence of the generator {silence_ms:.1f} ms"))


def main() -> None:
    """Measure and print."""
    for rate_rps, policies in ((1_000, (EACH,)), (2_000, (USERS,)), (5_000, (USERS, SHARED))):
        with trivial_server() as (url, _):
            ours = [dispatcher(url, rate_rps, SPEED_S, "poisson", connections=policy) for policy in policies]
            show_speed(rate_rps, [*ours, stock(url, rate_rps, SPEED_S, users=rate_rps // 10)])
    runs = []
    for users in (0, 20, 200):
        with trivial_server(SERVICE_S * 1e3) as (url, pid):
            freeze = Freeze(pid)
            run = (
                stock(url, FREEZE_RPS, FREEZE_RUN_S, users, freeze)
                if users
                else dispatcher(url, FREEZE_RPS, FREEZE_RUN_S, "constant", freeze=freeze)
            )
            runs.append((run, freeze))
    show_freeze(runs)


if __name__ == "__main__":
    main()
