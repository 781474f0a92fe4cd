"""Every kind of outage, scripted on a real server, is what the real load process reports: exactly as many, each with its class."""

from __future__ import annotations

import json

import polars as pl
import pytest

from history.schema import EventKind
from tests.integration.load.conftest import HORIZON_S, Played

ENDINGS: dict[str, tuple[str, str, bool | None, bool | None]] = {  # kind: (error, outcome, complete, valid)
    "hang": ("Timeout: no answer within 10 s", "unknown", None, None),
    "500": ("HTTP 500: scripted failure", "fail", True, None),
    "truncated": ("Truncated: closed before the end of the answer", "unknown", False, None),
    "reset": ("ConnectionResetError: [Errno 104] Connection reset by peer", "unknown", None, None),
    "wrong": ("WrongAnswer: not the expected completion", "ok", True, False),
}
REFUSED = "ConnectionRefusedError: [Errno 111] Connection refused"


@pytest.fixture(scope="module")
def outages(played: dict[str, Played]) -> Played:
    return played["outages"]


@pytest.fixture(scope="module")
def rows(outages: Played) -> pl.DataFrame:
    """Requests sent after the listener was back: what precedes is the refusal's alone."""
    return outages.run.requests.filter(pl.col("sent_ns") > outages.outage("refuse")["end_ns"])


@pytest.fixture(scope="module")
def good(rows: pl.DataFrame, outages: Played) -> pl.DataFrame:
    """Those of them that ended well, with their arrivals."""
    return outages.run.schedule.join(rows.filter(pl.col("error").is_null()), on="request_id")


def test_every_scheduled_request_has_a_row(outages: Played) -> None:
    assert outages.run.requests["request_id"].sort().to_list() == outages.run.schedule["request_id"].to_list()
    assert outages.run.requests["attempt"].unique().to_list() == [0]


@pytest.mark.parametrize("kind", ENDINGS)
def test_an_outage_is_reported_as_it_was(rows: pl.DataFrame, outages: Played, kind: str) -> None:
    error, *ending = ENDINGS[kind]
    hit = rows.filter(pl.col("error") == error)
    assert hit.height == outages.outage(kind)["hit"] > 10
    assert hit.select("outcome", "complete", "valid").unique().rows() == [tuple(ending)]


@pytest.mark.parametrize("kind", ENDINGS)
def test_an_outage_is_reported_when_it_was(rows: pl.DataFrame, outages: Played, kind: str) -> None:
    hit, truth = rows.filter(pl.col("error") == ENDINGS[kind][0]), outages.outage(kind)
    assert (hit["sent_ns"] < truth["end_ns"]).all()
    assert (hit["done_ns"] > truth["begin_ns"]).all()


def test_refused_connections(outages: Played) -> None:
    hit, truth = outages.run.requests.filter(pl.col("error") == REFUSED), outages.outage("refuse")
    assert hit.height > 10
    assert hit.select("outcome", "complete", "valid", "status", "first_byte_ns", "pod").unique().rows() == [
        ("fail", None, None, None, None, None)
    ]
    assert (hit["sent_ns"] < truth["end_ns"]).all()
    assert (hit["done_ns"] > truth["begin_ns"]).all()


def test_slow_answers_are_answers(good: pl.DataFrame, outages: Played) -> None:
    late = good.filter(pl.col("done_ns") - pl.col("sent_ns") > 150e6)
    assert late.height >= outages.outage("slow")["hit"] > 10


def test_all_else_is_right_and_complete(good: pl.DataFrame, rows: pl.DataFrame, outages: Played) -> None:
    assert good.select("outcome", "valid", "complete", "status").unique().rows() == [("ok", True, True, 200)]
    assert (good["pod"].str.starts_with("scripted-")).all()
    assert (good["tokens"] == good["max_tokens"]).all()
    assert good.height + sum(outages.outage(kind)["hit"] for kind in ENDINGS) == rows.height


def test_a_stream_is_whole_once_it_said_done(good: pl.DataFrame, outages: Played) -> None:
    truth = outages.outage("unterminated")
    inside = good.filter(pl.col("stream"), pl.col("sent_ns") < truth["end_ns"], pl.col("done_ns") > truth["begin_ns"])
    assert inside.height > 10
    assert inside["complete"].all()


def test_times_of_an_attempt_are_in_order(good: pl.DataFrame) -> None:
    for earlier, later in (("intended_ns", "sent_ns"), ("sent_ns", "first_byte_ns"), ("first_byte_ns", "done_ns")):
        assert (good[earlier] <= good[later]).all()


def test_only_streams_have_gaps(good: pl.DataFrame) -> None:
    assert (good["max_gap_ms"].is_not_null() == good["stream"]).all()


def test_a_stream_that_broke_off_counts_the_tokens_that_came(rows: pl.DataFrame, outages: Played) -> None:
    cut = outages.run.schedule.join(rows.filter(pl.col("error") == ENDINGS["truncated"][0]), on="request_id").filter(pl.col("stream"))
    assert (cut["tokens"] == cut["max_tokens"] // 2).all()


def test_intended_times_are_the_schedule(outages: Played) -> None:
    origin_ns = outages.run.first(EventKind.LOAD_START)
    assert origin_ns is not None
    joined = outages.run.schedule.join(outages.run.requests, on="request_id")
    assert (joined["intended_ns"] == joined["offset_ns"] + origin_ns).all()
    assert outages.run.first(EventKind.LOAD_STOP) == origin_ns + int(HORIZON_S * 1e9)


def test_the_audit_counts_what_was_done(outages: Played) -> None:
    run = outages.run
    detail = json.loads(run.events.filter(pl.col("kind") == EventKind.LOAD_AUDIT.value)["detail"][0])
    scheduled = run.schedule.height
    assert (detail["scheduled"], detail["recorded"], detail["sent"], detail["cap_hit"]) == (scheduled, scheduled, scheduled, 0)
    assert detail["locust"]["requests"] == scheduled >= outages.truth["seen"] + run.requests.filter(pl.col("error") == REFUSED).height
    assert detail["send_lag_max_ms"] == run.requests.select((pl.col("sent_ns") - pl.col("intended_ns")).max() / 1e6).item()
    assert detail["cpu_share_max"] > 0


def test_samples_are_taken(outages: Played) -> None:
    for series in ("in_flight", "load_cpu_share"):
        assert outages.run.samples.filter(pl.col("series") == series).height > 4
