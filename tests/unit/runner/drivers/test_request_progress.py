"""What users feel while the record is being written: complete or not known, and never ahead of the judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from history.workloads import Slo
from history.writer import RowWriter
from runner.drivers.requests.progress import RequestProgress

SLO = Slo(ratio=0.9, latency_ms=200, ttft_ms=100, max_gap_ms=50)
ORIGIN_NS = 1_790_000_000_000_000_000
STEP_NS = 10_000_000  # 100 requests a second


class Load:
    """Writes a schedule of ``count`` requests and rows as the test says."""

    def __init__(self, run_dir: Path, count: int = 1000, stream: bool = False) -> None:
        schedule = RowWriter(run_dir, "schedule", "load-0")
        for number in range(count):
            row = {"request_id": number, "offset_ns": number * STEP_NS, "stream": stream, "prompt_id": 0, "max_tokens": 1, "worker": 0}
            schedule.write(row)
        self.rows = RowWriter(run_dir, "requests", "load-0")
        self.progress = RequestProgress(run_dir, SLO, ORIGIN_NS)

    def answer(self, first: int, last: int, *, latency_ms: float = 50, **fields: Any) -> None:
        for number in range(first, last):
            intended = ORIGIN_NS + number * STEP_NS
            done = intended + int(latency_ms * 1e6)
            row = {
                "request_id": number, "attempt": 0, "intended_ns": intended, "sent_ns": intended, "first_byte_ns": done, "done_ns": done,
                "outcome": "ok", "valid": True, "complete": True, "max_gap_ms": None, "status": 200, "error": None,
                "endpoint": "e", "pod": None, "tokens": 1, "worker": "load-0",
            } | fields  # fmt: skip
            self.rows.write(row)

    def fail(self, first: int, last: int) -> None:
        self.answer(first, last, outcome="fail", status=503, complete=None, valid=None, error="HTTP 503: busy")


def at(number: float) -> int:
    return ORIGIN_NS + int(number * STEP_NS)


def test_only_what_is_complete_is_known(tmp_path: Path) -> None:
    load = Load(tmp_path)
    load.answer(0, 100)
    load.answer(101, 200)
    load.progress.update()
    assert load.progress.known_ns == at(100)
    assert load.progress.answered(at(40)) == 60
    load.answer(100, 101)
    load.progress.update()
    assert load.progress.known_ns == at(200)


def test_a_window_names_the_commonest_error_of_its_bad_requests(tmp_path: Path) -> None:
    load = Load(tmp_path)
    load.answer(0, 100)
    load.answer(100, 130, outcome="fail", status=401, error="HTTP 401: no key")
    load.answer(130, 140, outcome="fail", status=503, error="HTTP 503: busy")
    load.answer(140, 200, latency_ms=300)
    load.progress.update()
    assert load.progress.window(at(0), at(140)).text() == "29% bad, p95 50 ms, mostly HTTP 401: no key"
    assert load.progress.window(at(140), at(200)).trouble == "answers later than the SLO allows"
    assert load.progress.window(at(0), at(100)).trouble == ""


def test_a_torn_line_waits_for_its_end(tmp_path: Path) -> None:
    load = Load(tmp_path)
    load.answer(0, 10)
    text = load.rows.path.read_bytes()
    load.rows.path.write_bytes(text[:-20])
    load.progress.update()
    assert load.progress.known_ns == at(9)
    load.rows.path.write_bytes(text)
    load.progress.update()
    assert load.progress.known_ns == at(10)


@pytest.mark.parametrize(
    ("fields", "stream", "good"),
    [
        ({}, False, True),
        ({"latency_ms": 201}, False, False),
        ({"valid": False}, False, False),
        ({"complete": False}, False, False),
        ({"outcome": "unknown"}, False, False),
        ({"latency_ms": 90, "max_gap_ms": 10.0}, True, True),
        ({"latency_ms": 101, "max_gap_ms": 10.0}, True, False),
        ({"max_gap_ms": 51.0}, True, False),
    ],
)
def test_a_request_is_good_as_the_slo_says(tmp_path: Path, fields: dict[str, Any], stream: bool, good: bool) -> None:
    load = Load(tmp_path, count=2, stream=stream)
    load.answer(0, 1, **fields)
    load.progress.update()
    assert load.progress.window(at(0), at(1)).bad == int(not good)


def test_one_good_attempt_is_enough(tmp_path: Path) -> None:
    load = Load(tmp_path, count=2)
    load.fail(0, 1)
    load.answer(0, 1, attempt=1)
    load.progress.update()
    assert (load.progress.window(at(0), at(1)).bad, load.progress.window(at(0), at(1)).total) == (0, 1)


def test_windows_say_what_a_person_wants_to_know(tmp_path: Path) -> None:
    load = Load(tmp_path)
    load.answer(0, 69)
    load.fail(69, 100)
    load.progress.update()
    assert load.progress.window(at(0), at(100)).text() == "31% bad, p95 50 ms, mostly HTTP 503: busy"
    assert load.progress.window(at(500), at(600)).text() == "no request answered yet"


def test_without_impact_the_hold_counts_from_the_proof_of_the_fault(tmp_path: Path) -> None:
    load = Load(tmp_path, count=2000)
    load.answer(0, 700)
    load.progress.update()
    assert not load.progress.recovered(at(300), at(501), hold_s=1.0)
    assert load.progress.recovered(at(300), at(450), hold_s=1.0)


OUTAGE = (("answer", 0, 300), ("fail", 300, 400))


@pytest.mark.parametrize(
    ("soon", "later"),
    [
        ((*OUTAGE, ("answer", 400, 550)), ("answer", 550, 610)),
        ((*OUTAGE, ("answer", 400, 480), ("fail", 480, 520), ("answer", 520, 700)), ("answer", 700, 730)),
        ((("answer", 0, 300), ("answer", 320, 1500)), None),
    ],
    ids=["an outage: the hold counts from its end", "a relapse begins the hold anew", "twenty requests that still hang"],
)
def test_recovery_after_an_outage(tmp_path: Path, soon: tuple[tuple[str, int, int], ...], later: tuple[str, int, int] | None) -> None:
    load = Load(tmp_path, count=2000)
    for verb, first, last in soon:
        getattr(load, verb)(first, last)
    load.progress.update()
    assert not load.progress.recovered(at(300), at(301), hold_s=1.0)
    if later is not None:
        getattr(load, later[0])(*later[1:])
        load.progress.update()
        assert load.progress.recovered(at(300), at(301), hold_s=1.0)
