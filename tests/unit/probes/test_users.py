"""What users feel, read from a record that is still being written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from history.answers import AnswerRule
from history.clock import now_ns
from history.errors import NoData, TargetRefused
from history.schema import REQUESTS, EventKind
from history.workloads import Slo
from history.writer import RowWriter
from probes import users
from safety.active_run import ActiveRun
from testing.platform.fake_cluster import FakeCluster
from testing.platform.fake_run import live_run

SLO = Slo(ratio=0.99, latency_ms=1000, ttft_ms=400, max_gap_ms=300)
NONE: dict[str, Any] = dict.fromkeys(REQUESTS)
NOW_NS = now_ns()


@pytest.fixture(autouse=True)
def _time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine: what the load has not yet written is not overdue."""
    monkeypatch.setattr(users, "now_ns", lambda: NOW_NS)


class Load:
    """Writes what a load of one request each 100 ms would have written so far, from 20 s ago on."""

    def __init__(self, run_dir: Path, *, stream: bool = False) -> None:
        self.origin_ns = NOW_NS - 20_000_000_000
        self.run_dir, self.stream = run_dir, stream
        self.rows = RowWriter(run_dir, "requests", "load-0")
        schedule = RowWriter(run_dir, "schedule", "load")
        for number in range(600):
            schedule.write(
                {"request_id": number, "offset_ns": number * 100_000_000, "stream": stream, "prompt_id": 0, "max_tokens": 8, "worker": 0}
            )

    def due(self, number: int) -> int:
        return self.origin_ns + number * 100_000_000

    def row(self, number: int, latency_ms: float = 50, attempt: int = 0, **changes: Any) -> None:
        due = self.due(number)
        row = NONE | {
            "request_id": number, "attempt": attempt, "intended_ns": due, "sent_ns": due, "first_byte_ns": due + 10_000_000,
            "done_ns": due + int(latency_ms * 1e6), "outcome": "ok", "valid": True, "complete": True, "status": 200,
            "max_gap_ms": 10.0 if self.stream else None, "worker": "load-0",
        }  # fmt: skip
        self.rows.write(row | changes)

    def live(self) -> ActiveRun:
        load: Any = type("Load", (), {"timeout_s": 5.0})
        run = live_run(FakeCluster(), self.run_dir, {}, requests=SimpleNamespace(slo=SLO, load=load, answers=AnswerRule()))
        run.log.event(EventKind.LOAD_START, "load-0", t_ns=self.origin_ns)
        return run


def recorded(run_dir: Path, numbers: Iterable[int] = range(200), *, stream: bool = False, **changes: Any) -> Load:
    """Let a run be alive whose load recorded these requests."""
    load = Load(run_dir, stream=stream)
    for number in numbers:
        load.row(number, **changes)
    load.live()
    return load


def test_all_is_well(tmp_path: Path) -> None:
    load = recorded(tmp_path, [])
    for number in range(200):
        load.row(number, latency_ms=100 + number % 20)
    assert users.good_ratio(10) == 1.0
    assert users.p95_latency_ms(10) == pytest.approx(118, abs=1.5)


@pytest.mark.parametrize(
    "bad",
    [
        {"latency_ms": 1001},
        {"outcome": "fail", "status": None, "valid": None, "complete": False, "error": "ConnectError"},
        {"status": 503},
        {"valid": False},
        {"complete": False},
        {"done_ns": None, "outcome": "unknown"},
    ],
)
def test_a_bad_request_is_counted(tmp_path: Path, bad: dict[str, Any]) -> None:
    load = recorded(tmp_path, [])
    for number in range(200):
        load.row(number, **(bad if number % 10 == 0 else {}))
    assert users.good_ratio(10) == pytest.approx(0.9, abs=0.02)


def test_a_retry_that_serves_the_user_counts(tmp_path: Path) -> None:
    load = recorded(tmp_path, outcome="fail", status=503)
    for number in range(200):
        load.row(number, attempt=1, latency_ms=300)
    assert users.good_ratio(10) == 1.0


def test_a_request_without_a_row_is_bad(tmp_path: Path) -> None:
    recorded(tmp_path, range(0, 200, 2))
    assert users.good_ratio(10) == pytest.approx(0.5, abs=0.02)


def test_a_load_that_writes_nothing_more_is_no_data_and_not_well(tmp_path: Path) -> None:
    recorded(tmp_path, range(50))
    with pytest.raises(NoData, match="the load recorded nothing of the last 5 s"):
        users.good_ratio(5)


def test_a_load_that_never_started_is_no_data(tmp_path: Path) -> None:
    load: Any = type("Load", (), {"timeout_s": 5.0})
    live_run(FakeCluster(), tmp_path, {}, requests=SimpleNamespace(slo=SLO, load=load, answers=AnswerRule()))
    with pytest.raises(NoData, match=r"no event load\.start"):
        users.good_ratio()


def test_without_a_right_answer_there_is_no_latency(tmp_path: Path) -> None:
    recorded(tmp_path, outcome="fail", status=503)
    assert users.good_ratio(10) == 0.0
    with pytest.raises(NoData, match="no right answer"):
        users.p95_latency_ms(10)


def test_a_stream_that_goes_on_is_not_known_yet(tmp_path: Path) -> None:
    recorded(tmp_path, range(0, 200, 2), stream=True, latency_ms=3000)
    window = users.good_ratio(1)  # all younger than the load's time-out
    assert window == 1.0
    assert users.good_ratio(15) < 0.8  # the older ones without an end are bad


def test_streams_longer_than_the_slo_s_limits_are_judged_once_they_may_have_ended(tmp_path: Path) -> None:
    recorded(tmp_path, range(160), stream=True, latency_ms=4000)  # the rest goes on
    assert users.good_ratio(1) == 1.0


def test_answers_that_came_are_judged_before_the_slo_s_limit_is_over(tmp_path: Path) -> None:
    load = Load(tmp_path)
    load.origin_ns = NOW_NS - 900_000_000  # less than the second that the SLO lets users wait
    for number in range(9):
        load.row(number)
    load.live()
    assert users.good_ratio(0.5) == 1.0


def test_a_stream_is_judged_by_its_first_token_and_its_gaps() -> None:
    asked = pl.DataFrame({"request_id": [1, 2, 3], "asked_ns": [0, 0, 0], "stream": [True, True, True]})
    served = {"attempt": 0, "intended_ns": 0, "outcome": "ok", "valid": True, "complete": True, "status": 200, "done_ns": 9_000_000_000}
    base = NONE | served
    rows = pl.DataFrame(
        [
            base | {"request_id": 1, "first_byte_ns": 300_000_000, "max_gap_ms": 200.0},
            base | {"request_id": 2, "first_byte_ns": 500_000_000, "max_gap_ms": 200.0},
            base | {"request_id": 3, "first_byte_ns": 300_000_000, "max_gap_ms": 400.0},
        ],
        schema=REQUESTS,
    )
    assert users.judged(asked, rows, SLO, overdue_ns=0)["good"].to_list() == [True, False, False]


def test_without_a_live_run_nothing_is_seen() -> None:
    with pytest.raises(TargetRefused, match="no live Aftershock run"):
        users.good_ratio()
