"""A surge by the real load generator against a real server: it is sent, it ends by itself, by healing, and with the suite."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest
import yaml

import faults.load
from history.clock import now_ns
from history.reader import read_table
from history.schema import EventKind
from probes import load
from safety.active_run import ActiveRun
from safety.load_process import PROGRAM, folder_of
from testing.load.load_runs import Server, scripted_server
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import spec
from testing.waiting import wait_for

TIMES, RATE_RPS = 2, 40  # of the class's 20
LONG_S = 300.0
USERS_S = 20.0  # their time-out
SHORT_S, AFTERWARDS_S = 1.5, 15.0  # far less than that, so that whoever waits for it is seen


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with scripted_server(tmp_path / "truth.json") as made:
        yield made


@pytest.fixture
def silent() -> Iterator[str]:
    """Yield the URL of a server that takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def begun(url: str, folder: Path, for_s: float, attempts: int = 1) -> ActiveRun:
    """Begin a surge on users of ``url``, in a live run that keeps its record in ``folder``."""
    workloads = yaml.safe_load((ROOT / "targets/local.yaml").read_text())["workloads"]
    workloads["realtime-inference"]["load"]["timeout"] = USERS_S
    cluster, target = FakeCluster(), local_target(endpoints={"inference": url}, workloads=workloads)
    arguments = {"role": "inference", "times": TIMES, "for_s": for_s, "attempts": attempts}
    run = live_run(
        cluster, folder, {"act": spec(faults.load.surge).resolve(cluster.platform(target), arguments, seeded(7))}, target, seed=7
    )
    assert not load.offered("act")
    faults.load.surge("inference", TIMES, for_s, attempts=attempts)
    return run


def generators(folder: Path) -> list[psutil.Process]:
    """Return the load generators that keep their record below ``folder``; one that has ended and was not waited for is none."""
    found = psutil.process_iter(["cmdline"])
    return [one for one in found if PROGRAM in (line := one.info["cmdline"] or []) and any(part.startswith(str(folder)) for part in line)]


def offered() -> bool:
    return load.offered("act")


def test_it_is_sent_to_the_classs_endpoint_and_ends_with_its_time(server: Server, tmp_path: Path) -> None:
    run = begun(server.url, tmp_path, 8.0)
    assert generators(tmp_path)
    wait_for(offered, "nine of ten of its requests were sent")
    wait_for(lambda: not generators(tmp_path), "its generator has ended by itself")
    rows = read_table(folder_of(run, "act"), "requests")
    assert rows.height > 8 * RATE_RPS / 2
    assert set(rows["error"]) <= {None, "CutOff: the load ended before the answer did"}
    assert rows["outcome"].to_list().count("ok") > 0.5 * rows.height
    assert faults.load.restore() == {"undone": ["load generator of act: it does not run: it ended with its time, or with the suite"]}


def test_healing_ends_it_before_its_time(server: Server, tmp_path: Path) -> None:
    begun(server.url, tmp_path, LONG_S)
    wait_for(offered, "it is sent")
    assert faults.load.restore() == {"undone": ["load generator of act: ended"]}
    assert not generators(tmp_path)


def killed_suite(url: str, folder: Path, until: Callable[[], bool]) -> int:
    """Let a suite begin a surge of users who ask twice, and kill it when ``until`` holds; return when (ns)."""
    code = "import sys; from pathlib import Path; from tests.processes.load.test_surge import begun; "
    code += f"begun({url!r}, Path({str(folder)!r}), {LONG_S}, 2); print(flush=True); sys.stdin.read()"
    suite = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert suite.stdout
    assert suite.stdout.readline()
    assert generators(folder)
    wait_for(until, "it is sent")
    suite.kill()
    killed_ns = now_ns()
    suite.communicate()
    return killed_ns


def last_record(folder: Path) -> tuple[pl.DataFrame, int]:
    """Wait until no generator of ``folder`` runs; return the attempts that it recorded, and when it wrote its account (ns)."""
    wait_for(lambda: not generators(folder), "nothing of it is left")
    record = folder / "extra-load" / "act"
    ended_ns = read_table(record, "events").filter(pl.col("kind") == EventKind.LOAD_AUDIT.value)["t_ns"].to_list()
    return read_table(record, "requests"), int(ended_ns[-1])


def test_it_ends_with_the_suite(server: Server, tmp_path: Path) -> None:
    killed_ns = killed_suite(server.url, tmp_path, lambda: True)
    _, ended_ns = last_record(tmp_path)
    assert ended_ns - killed_ns < AFTERWARDS_S * 1e9


def test_users_who_are_never_answered_do_not_outlive_its_time(silent: str, tmp_path: Path) -> None:
    run = begun(silent, tmp_path, SHORT_S, attempts=2)
    rows, ended_ns = last_record(tmp_path)
    begun_ns = read_table(folder_of(run, "act"), "events").filter(pl.col("kind") == EventKind.LOAD_START.value)["t_ns"].to_list()[0]
    assert SHORT_S - 0.5 < (ended_ns - begun_ns) / 1e9 < SHORT_S + AFTERWARDS_S
    assert rows["attempt"].unique().to_list() == [0]
    assert rows["error"].unique().to_list() == ["CutOff: the load ended before the answer did"]
    assert rows.height > SHORT_S * RATE_RPS / 2


def test_users_who_are_never_answered_do_not_outlive_the_suite(silent: str, tmp_path: Path) -> None:
    record = tmp_path / "extra-load" / "act"
    killed_ns = killed_suite(silent, tmp_path, lambda: not read_table(record, "requests").is_empty())  # some have timed out, and ask again
    rows, ended_ns = last_record(tmp_path)
    assert ended_ns - killed_ns < AFTERWARDS_S * 1e9
    again_ns = rows.filter(pl.col("attempt") == 1)["sent_ns"].to_list()
    assert again_ns
    assert max(again_ns) < killed_ns + AFTERWARDS_S * 1e9
