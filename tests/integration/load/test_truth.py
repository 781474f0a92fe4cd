"""Every kind of outage, scripted on a real server under the real load: the verdict's RTO is how long it lasted."""

from __future__ import annotations

import polars as pl
import pytest

from history.workloads import Slo
from testing.load.outage_runs import KINDS, Played, play

pytestmark = pytest.mark.quiet


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(
        tmp_path_factory.mktemp("truth"),
        [(kind, 0.5) for kind in KINDS],
        Slo(ratio=0.99, latency_ms=1000),
        rate_rps=200.0,
        arrivals="constant",
        timeout_s=5.0,
        in_flight_cap=5_000,
    )


def test_every_outage_of_the_script_is_one_outage_of_the_verdict(played: Played) -> None:
    assert [(one.kind, one.outages) for one in played.outages] == [(kind, 1) for kind in KINDS]


@pytest.mark.parametrize("number", range(len(KINDS)), ids=KINDS)
def test_its_rto_is_how_long_it_lasted(played: Played, number: int) -> None:
    one = played.outages[number]
    gap_s = 1 / played.run.plan.load.rate_rps
    # A request that was asked for at t reaches the server at most as much later as the slowest good answer took: on a slow machine the
    # bound is wide, because there the server learns late of what was asked.
    assert one.error_s <= one.resolution_s + gap_s + played.slowest_s


def test_every_request_is_on_record(played: Played) -> None:
    assert played.run.requests["request_id"].sort().to_list() == played.run.schedule["request_id"].to_list()
    assert played.run.requests.filter(pl.col("sent_ns").is_null()).is_empty()
