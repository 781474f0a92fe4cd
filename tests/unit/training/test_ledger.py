"""The ledger: rows survive, a ledger that is down stops nobody, and what real ranks did is read from it."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import requests

from history.ledger_clocks import clocks_of_ledger
from history.ledgers import training_rows
from history.schema import TRAINING
from testing.training.run_summary import RunSummary
from testing.training.served_ledger import serving
from workloads.training.data import Order
from workloads.training.errors import SettingsRefused
from workloads.training.telemetry.clock import Clock
from workloads.training.telemetry.ledger import RankLedger, open_sink, read
from workloads.training.telemetry.ledger_server import LedgerServer, received


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LedgerServer]:
    with serving(tmp_path) as made:
        yield made


def _written(address: str, run: str) -> None:
    sink = open_sink(address, run)
    sink.write(b"{}\n")
    sink.close()


def test_runs_that_nobody_uses_any_more_make_room(tmp_path: Path) -> None:
    with serving(tmp_path, keep=3) as server:
        at = f"http://127.0.0.1:{server.server_port}"
        for age_s, run in ((50, "reference"), (40, "old"), (30, "newer")):
            _written(at, run)
            os.utime(tmp_path / f"{run}.jsonl", (time.time() - age_s,) * 2)
        assert requests.get(f"{at}/runs/reference", timeout=5).content.startswith(b'{"received_ns": ')
        _written(at, "newest")
        _written(at, "newest")  # it is there already: nobody has to go
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["newer", "newest", "reference"]


class Hand(Clock):
    """A clock that is turned by hand."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def _steps(folder: Path, run: str = "run") -> list[Any]:
    return [row["step"] for row in read((folder / f"{run}.jsonl").read_text()) if row["kind"] != "clock"]


def test_rows_reach_the_server_before_append_returns(server: LedgerServer, tmp_path: Path) -> None:
    ledgers = [RankLedger(open_sink(f"http://127.0.0.1:{server.server_port}", "run"), "run", rank) for rank in (0, 1)]
    for step in (1, 2, 3):
        for ledger in ledgers:
            ledger.append("step", step, loss=0.5)
        assert len(_steps(tmp_path)) == 2 * step
    assert ledgers[0].backlog == 0
    for ledger in ledgers:
        ledger.close()


def test_a_ledger_that_is_down_delays_nothing_and_loses_nothing(tmp_path: Path) -> None:
    clock, folder = Hand(), tmp_path / "sub"
    folder.mkdir()
    ledger = RankLedger(open_sink(f"file://{folder}/run.jsonl", "run"), "run", 0, clock)
    folder.rename(tmp_path / "away")
    for step in (1, 2, 3):
        ledger.append("step", step)
    assert ledger.backlog == 3
    (tmp_path / "away").rename(folder)
    ledger.append("step", 4)
    assert ledger.backlog == 4, "it is tried again once a second only"
    clock.now = 1.0
    ledger.append("step", 5)
    assert ledger.backlog == 0
    assert _steps(folder) == [1, 2, 3, 4, 5]


def test_the_server_refuses_names_that_lead_elsewhere_and_torn_rows(server: LedgerServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    for path, body in (("/runs/..%2Fevil", b"{}\n"), ("/other", b"{}\n"), ("/runs/run", b"{}")):
        connection.request("POST", path, body)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 400
    connection.close()
    assert list(server.folder.iterdir()) == []


def test_a_reader_goes_on_where_it_stopped(server: LedgerServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)

    def ask(method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()

    ask("POST", "/runs/run", b"first\n")
    assert ask("GET", "/runs/run?offset=0") == (200, b"first\n")
    ask("POST", "/runs/run", b"next\n")
    assert ask("GET", "/runs/run?offset=6") == (200, b"next\n")
    assert ask("GET", "/runs/run?offset=11") == (200, b"")
    assert ask("GET", "/runs/run?offset=-1")[0] == 400
    connection.close()


def test_each_row_says_when_it_came_and_what_is_no_row_stays_as_it_is() -> None:
    text = received(b'{"a": 1, "received_ns": 3}\n{}\nno row\n{"torn": \n', 7)
    assert text.splitlines()[2:] == [b"no row", b'{"torn": ']
    assert read(text.decode()) == [{"a": 1, "received_ns": 7}, {"received_ns": 7}]


class Apart(Clock):
    """A clock that lies apart from this machine's (s)."""

    def __init__(self, apart_s: float) -> None:
        self.apart_s = apart_s

    def time_ns(self) -> int:
        return time.time_ns() + int(self.apart_s * 1e9)


@pytest.mark.parametrize("apart_s", [-2.0, 0.0, 8.0])
def test_a_rank_tells_how_far_its_clock_lies_from_the_servers(server: LedgerServer, tmp_path: Path, apart_s: float) -> None:
    ledger = RankLedger(open_sink(f"http://127.0.0.1:{server.server_port}", "run"), "run", 0, Apart(apart_s))
    for step in (1, 2):
        ledger.append("step", step)
    ledger.close()
    (clock,) = [row for row in read((tmp_path / "run.jsonl").read_text()) if row["kind"] == "clock"]
    assert abs(clock["offset_ns"] + apart_s * 1e9) <= clock["error_ns"]
    rows = pl.DataFrame(list(training_rows((tmp_path / "run.jsonl").read_bytes())), schema=TRAINING)
    found = clocks_of_ledger(rows)
    assert (found.furthest[1], found.unknown) == (pytest.approx(apart_s, abs=found.error_s + 1e-9), ("the suite itself",))


def test_of_a_writer_that_never_asked_the_receipt_of_its_rows_is_a_bound(server: LedgerServer, tmp_path: Path) -> None:
    ledger = RankLedger(_Silent(f"http://127.0.0.1:{server.server_port}"), "run", 0, Apart(-2.0))
    for step in range(1, 6):
        ledger.append("step", step)
    ledger.close()
    found = clocks_of_ledger(pl.DataFrame(list(training_rows((tmp_path / "run.jsonl").read_bytes())), schema=TRAINING))
    (host,) = found.hosts.values()
    assert not host.asked
    assert host.offset_ns > 2_000_000_000  # no row comes before it was written


class _Silent:
    """A sink of somebody's own: plain HTTP, and never a question for the time."""

    def __init__(self, address: str) -> None:
        self._address = address

    def write(self, lines: bytes) -> None:
        requests.post(f"{self._address}/runs/run", lines, timeout=5).raise_for_status()

    def server_ns(self) -> int | None:
        return None

    def close(self) -> None:
        pass


@pytest.mark.parametrize("address", ["", "ledger", "file:///no/such/folder/x", "http://host", "redis://host:1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SettingsRefused, match="TRAIN_LEDGER"):
        open_sink(address, "run")


def test_a_torn_line_is_left_out() -> None:
    assert read('{"a": 1}\n{"b"\n\n{"c": 2}\n{"d": ') == [{"a": 1}, {"c": 2}]


SAMPLES, BATCH = 12, 4
ORDER = Order(SAMPLES, 0)


def _start(attempt: int, step: int = 0, world: int = 2) -> dict[str, Any]:
    fixed = {"kind": "start", "rank": 0, "depth": 0, "rejected": [], "data_samples": SAMPLES, "seed": 0, "batch": BATCH}
    return {**fixed, "attempt": attempt, "step": step, "world": world, "t_ns": attempt * 1000 + step}


def _step(attempt: int, step: int, t_ns: int = 0, digest: str = "", position: int | None = None) -> list[dict[str, Any]]:
    ids = ORDER.window((step - 1) * BATCH if position is None else position, BATCH)
    at_ns = t_ns or attempt * 1000 + step
    fixed = {"kind": "step", "attempt": attempt, "step": step, "host": "h", "pid": 1, "outcome": "applied", "t_ns": at_ns}
    return [{**fixed, "rank": rank, "samples": ids[rank::2], "loss_digest": digest or f"d{step}"} for rank in (0, 1)]


def _run(*parts: Any) -> list[dict[str, Any]]:
    return [row for part in parts for row in (part if isinstance(part, list) else [part])]


def _summary(rows: list[dict[str, Any]]) -> RunSummary:
    return RunSummary(b"".join(json.dumps(row).encode() + b"\n" for row in rows))


def test_a_replay_counts_once() -> None:
    rows = _run(_start(1), *[_step(1, n) for n in (1, 2, 3)], _step(1, 4)[:1], _start(2, 2), *[_step(2, n) for n in (3, 4, 5)])
    found = _summary(rows + rows[:3])
    assert found.flawless
    assert (found.seen.steps, found.last_lost_steps) == (5, 2)
    assert _summary(_run(_start(1), _step(1, 1), _step(1, 3))).seen.steps == 1, "a gap ends what is counted"


def test_skipped_repeated_and_differing_are_seen() -> None:
    rows = _run(_start(1), *[_step(1, n) for n in (1, 2)], _start(2, 1), _step(2, 2, digest="other"), _step(2, 3, position=0))
    found = _summary(rows)
    assert (found.seen.skipped, found.seen.repeated) == (4, 4)
    assert found.differing == [2]


def test_two_writers_are_seen() -> None:
    rows = _run(_start(1), _step(1, 1), _start(2, 1), _step(2, 2, t_ns=5000))
    assert not _summary(rows).writers
    assert _summary(rows + _step(1, 2, t_ns=5001)).writers == ("attempt 1 did step 2 on h after attempt 2 had begun",)
    twin = [{**row, "host": "other", "pid": 7} for row in _step(1, 1) if row["rank"] == 1]
    assert _summary(rows + twin).writers == ("rank 1 of attempt 1 was 2 processes",)


def test_the_order_sees_each_sample_once_an_epoch() -> None:
    everything = ORDER.window(0, 3 * SAMPLES)
    assert all(sorted(everything[e * SAMPLES : (e + 1) * SAMPLES]) == list(range(SAMPLES)) for e in range(3))
    pieces = [i for start in range(0, 3 * SAMPLES, 5) for i in ORDER.window(start, 5)]
    assert pieces[: 3 * SAMPLES] == everything
    assert json.dumps(everything)
