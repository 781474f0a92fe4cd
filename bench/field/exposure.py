"""Which replicas the load meets, and which address of a name it reaches."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl

from bench.field.cases import Seen, case
from history.connection_policy import ConnectionPolicy
from history.reader import read_run
from history.result import Verdict
from testing.load.frozen_replica import SLO_S, Frozen, freeze
from testing.load.load_runs import finish, scripted_server, start_load, write_load_plan
from testing.load.program import ROOT
from testing.load.silent_address import silent_address

NAME, SILENT = "two.test", "127.0.0.11"
RATE_RPS, FOR_S = 20.0, 4.0
ENTERED = 'mount --bind "$1" /etc/hosts && exec "$2" -m bench.field.exposure'
NEAR_S = 1.0  # of a busy machine


@case(
    "verdicts",
    "15 requests/s, 80 ms, three replicas behind a balancer of connections, one frozen for 4.8 s",
    "shared connections: exposure INCONCLUSIVE; 50 users (the default) or a connection each: RTO 4.8 s, less one SLO at most",
)
def frozen_replica() -> Seen:
    """Freeze one of three replicas under each way to connect."""
    with tempfile.TemporaryDirectory() as folder:
        seen = {mode: freeze(Path(folder) / mode, ConnectionPolicy(mode=mode)) for mode in ("shared", "users", "each_request")}
    right = seen["shared"].exposure.verdict is Verdict.INCONCLUSIVE and _found(seen["users"]) and _found(seen["each_request"])
    return Seen("; ".join(f"{mode}: {_said(one)}" for mode, one in seen.items()), right)


def _found(seen: Frozen) -> bool:
    near = seen.rto_s is not None and seen.truth_s - SLO_S - NEAR_S <= seen.rto_s <= seen.truth_s + NEAR_S
    return near and seen.exposure.verdict is Verdict.PASS


def _said(seen: Frozen) -> str:
    met = f"exposure {seen.exposure.verdict.value} ({seen.exposure.measured or 0:.0f} met it)"
    return f"{seen.bad or 0:g} bad, RTO {seen.rto_s or 0:.1f} s of {seen.truth_s:.1f} s, {met}"


@case("answers", "two A records, one drops SYNs, time-out 60 s", "next address: every request is served, none waits much beyond 0.25 s")
def two_addresses() -> Seen:
    """Let a name of two addresses stand in a hosts file that only the load sees, in a mount namespace of its own."""
    with tempfile.TemporaryDirectory() as folder:
        hosts = Path(folder) / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{SILENT} {NAME}\n127.0.0.1 {NAME}\n")
        own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        command = ["unshare", *own, "--mount", "sh", "-c", ENTERED, "sh", str(hosts), sys.executable]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        return Seen((ended.stderr.strip().splitlines() or ["no reason given"])[-1], right=False)
    good, asked, slowest_s = ended.stdout.split()
    return Seen(f"{good} of {asked} served, the slowest after {slowest_s} s", right=good == asked and float(slowest_s) < NEAR_S)


def offer() -> tuple[int, int, float]:
    """Offer requests to the name; return how many were served, how many were asked, and the longest that one took (s)."""
    with (
        tempfile.TemporaryDirectory() as folder,
        scripted_server(Path(folder) / "truth.json") as server,
        silent_address(SILENT, server.port),
    ):
        run_dir = Path(folder) / "run"
        connections = ConnectionPolicy()
        write_load_plan(run_dir, f"http://{NAME}:{server.port}", rate_rps=RATE_RPS, horizon_s=FOR_S, timeout_s=60, connections=connections)
        code, _, errors = finish(start_load(run_dir))
        if code:
            raise RuntimeError(f"the load ended with exit code {code}: {errors}")
        rows = read_run(run_dir).requests
    took_ns = rows.select((pl.col("done_ns") - pl.col("intended_ns")).max()).item()
    return rows.filter(pl.col("outcome") == "ok").height, rows.height, took_ns / 1e9


if __name__ == "__main__":
    print("{} {} {:.2f}".format(*offer()))
