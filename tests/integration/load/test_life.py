"""How a load ends, whoever ends it: told to stop, killed, orphaned, or refused at the start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from history.reader import Run, read_run
from history.schema import EventKind
from testing.load.load_runs import beside_requests, finish, rows_written, scripted_server, start_load, write_load_plan
from testing.load.program import ROOT
from testing.waiting import wait_for
from workloads.load.inputs import prepare

LONG = {"rate_rps": 20.0, "horizon_s": 600.0}
LOADS: dict[str, dict[str, Any]] = {
    "told": LONG | {"workers": 2, "connection_max_age_s": 0.1},
    "killed": LONG | {"workers": 2},
    "abandoned": LONG | {"workers": 2},
    "capped": LONG | {"in_flight_cap": 5, "timeout_s": 600.0, "retry": {"policy": "naive", "max_attempts": 2}},
}
OPTIONS = {"abandoned": ("--parent", "1")}  # a parent that it has not: as if it had just died


@dataclass(frozen=True, slots=True)
class Running:
    """A load under way."""

    process: subprocess.Popen[str]
    run_dir: Path
    url: str

    def stop(self) -> Run:
        """Tell it to stop, wait until it has, and return what it recorded."""
        self.process.send_signal(signal.SIGTERM)
        code, _, errors = finish(self.process)
        assert (code, beside_requests(errors)) == (0, "")
        return read_run(self.run_dir)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """All loads of this module, started together; each has written twenty rows."""
    truth = tmp_path_factory.mktemp("servers")
    hang = [{"at_s": 0, "for_s": 600, "kind": "hang"}]
    with scripted_server(truth / "good.json", None, "--service-ms", "40") as good, scripted_server(truth / "hangs.json", hang) as hangs:
        loads = {}
        try:
            for name, fields in LOADS.items():
                run_dir = tmp_path_factory.mktemp(name)
                url = hangs.url if name == "capped" else good.url
                write_load_plan(run_dir, url, **fields)
                loads[name] = Running(start_load(run_dir, *OPTIONS.get(name, ())), run_dir, url)
            wait_for(
                lambda: all(rows_written(loads[name].run_dir) > 20 for name in loads.keys() - OPTIONS.keys()), "twenty rows of each load"
            )
            yield loads
        finally:
            for load in loads.values():
                load.process.kill()
                load.process.communicate()


def audits(run: Run) -> dict[str, dict[str, Any]]:
    events = run.events.filter(pl.col("kind") == EventKind.LOAD_AUDIT.value)
    return {worker: json.loads(detail) for worker, detail in events.select("object", "detail").rows()}


@pytest.fixture(scope="module")
def told(running: dict[str, Running]) -> Run:
    return running["told"].stop()


def test_sigterm_stops_arrivals_and_drains(told: Run) -> None:
    stops = dict(told.events.filter(pl.col("kind") == EventKind.LOAD_STOP.value).select("object", "t_ns").rows())
    sent = told.requests.group_by("worker").agg(pl.col("intended_ns").max(), pl.col("request_id").n_unique())
    origin_ns = told.first(EventKind.LOAD_START)
    for worker, last_ns, count in sent.rows():
        due = pl.col("offset_ns") + origin_ns <= stops[worker]
        assert last_ns <= stops[worker]
        assert count == told.schedule.filter(due, "load-" + pl.col("worker").cast(pl.String) == worker).height
    assert told.requests.filter(pl.col("outcome") != "ok").select("request_id", "outcome", "error").rows() == []
    assert {account["stopped_by"] for account in audits(told).values()} == {"SIGTERM"}


def test_workers_share_one_origin_and_merge(told: Run) -> None:
    starts = told.events.filter(pl.col("kind") == EventKind.LOAD_START.value)
    assert sorted(starts["object"]) == ["load-0", "load-1"]
    assert starts["t_ns"].n_unique() == 1
    assert told.requests["request_id"].is_unique().all()
    merged = told.schedule.join(told.requests, on="request_id")
    assert (merged["worker_right"] == "load-" + merged["worker"].cast(pl.String)).all()


def test_connections_are_not_kept_beyond_their_age(told: Run) -> None:
    for worker, account in audits(told).items():
        sent = told.requests.filter(pl.col("worker") == worker).sort("sent_ns")
        ages, opened_ns = 0, 0  # as few connections as there can be if each, once open, lives 0.1 s at most
        for sent_ns in sent["sent_ns"]:
            if sent_ns - opened_ns > 200_000_000:
                ages, opened_ns = ages + 1, sent_ns
        assert account["connections"] >= ages > 1


def test_sigkill_leaves_a_readable_history_and_workers_end_without_their_parent(running: dict[str, Running]) -> None:
    killed = running["killed"]
    assert killed.process.stdout
    ready = json.loads(killed.process.stdout.readline())
    assert (ready["event"], ready["workers"], len(ready["pids"])) == ("READY", 2, 2)
    killed.process.kill()  # first: it would tell the others to stop
    os.kill(ready["pids"][0], signal.SIGKILL)
    finish(killed.process)  # returns when the last worker has closed stderr, too
    run = read_run(killed.run_dir)
    assert run.requests.filter(pl.col("worker") == "load-0").height > 5
    assert run.events.filter(pl.col("kind") == EventKind.LOAD_STOP.value)["object"].to_list() == ["load-1"]
    assert {worker: account["stopped_by"] for worker, account in audits(run).items()} == {"load-1": "the parent process is gone"}


def test_several_workers_end_when_whoever_started_them_is_gone(running: dict[str, Running]) -> None:
    code, _, errors = finish(running["abandoned"].process)
    assert (code, beside_requests(errors)) == (0, "")
    assert {account["stopped_by"] for account in audits(read_run(running["abandoned"].run_dir)).values()} == {"SIGTERM"}


def test_a_hit_cap_is_recorded_and_a_second_signal_cuts_off_what_is_open(running: dict[str, Running]) -> None:
    load = running["capped"]
    load.process.send_signal(signal.SIGTERM)
    wait_for(lambda: read_run(load.run_dir).first(EventKind.LOAD_STOP) is not None, "the stop")
    run = load.stop()
    capped, cut = run.requests.filter(pl.col("error") == "in-flight cap"), run.requests.filter(pl.col("error") != "in-flight cap")
    assert sorted(run.requests["request_id"]) == list(range(run.requests.height))
    assert capped.select("attempt", "outcome", "sent_ns", "done_ns", "status").unique().rows() == [(0, "fail", None, None, None)]
    assert (
        cut.select("attempt", "outcome", "complete", "error").rows()
        == [(0, "unknown", None, "CutOff: the load ended before the answer did")] * 5
    )
    account = audits(run)["load-0"]
    assert (account["cap_hit"], account["in_flight_max"], account["cut_off"]) == (capped.height, 5, 5)


def test_a_folder_that_cannot_be_written_ends_the_load_with_a_sentence(running: dict[str, Running], tmp_path: Path) -> None:
    write_load_plan(tmp_path, running["told"].url, rate_rps=400.0, horizon_s=20.0)
    prepare(tmp_path)
    limited = f"ulimit -f 64; exec {sys.executable} -m workloads.load run {tmp_path}"  # blocks of 512 or 1024 bytes: less than 200 rows
    load = subprocess.Popen(["sh", "-c", limited], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    code, _, errors = finish(load)
    assert code == 1
    assert errors.startswith("load: the run folder cannot be written")
    assert not read_run(tmp_path).requests.is_empty()


def test_the_command_says_it_too(tmp_path: Path) -> None:
    code, said, errors = finish(start_load(tmp_path))
    assert (code, said) == (2, "")
    assert errors.startswith(f"load: {tmp_path}: plan.json cannot be read")
    assert "Traceback" not in errors
