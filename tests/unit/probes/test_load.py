"""Evidence of a surge: its own record says that it was sent, and the engines' own gauges that they have it in hand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from history.clock import now_ns
from history.errors import NoData
from history.plan import ResolvedTarget
from history.schema import REQUESTS, SCHEDULE, EventKind, Outcome, Series
from history.writer import EventLog, RowWriter
from probes import load, queue
from safety.active_run import ActiveRun
from safety.load_process import folder_of
from testing.platform.fake_cluster import FakeCluster, local_target
from testing.platform.fake_run import live_run
from testing.platform.prometheus_server import Scraped, prometheus_server, waiting

TARGET = ResolvedTarget(kind="Pod", name="inference-a", namespace="ml-serving")
RATE_RPS = 50


@pytest.fixture
def run(tmp_path: Path) -> ActiveRun:
    return live_run(FakeCluster(), tmp_path, {"act": [TARGET]})


def recorded(run: ActiveRun, begun_s: float, *, sent: int, unsent: int = 0, under_way: int = 0) -> None:
    """Write the record of a generator that began so long ago and was due to send 50 requests/s."""
    folder = folder_of(run, "act")
    folder.mkdir(parents=True)
    count = 60 * RATE_RPS
    columns: dict[str, object] = {"request_id": range(count), "offset_ns": [number * 1_000_000_000 // RATE_RPS for number in range(count)]}
    more = {"stream": False, "prompt_id": 0, "max_tokens": 8, "worker": 0}
    frame = pl.DataFrame(columns).with_columns(pl.lit(value).alias(name) for name, value in more.items())
    frame.select(pl.col(name).cast(kind) for name, kind in SCHEDULE.items()).write_parquet(folder / "schedule.parquet")
    log, rows = EventLog(folder, "load-0"), RowWriter(folder, "requests", "load-0")
    log.event(EventKind.LOAD_START, "load-0", t_ns=now_ns() - int(begun_s * 1e9))
    log.sample(Series.IN_FLIGHT, under_way, worker="load-0")
    for number in range(sent + unsent):
        row = dict.fromkeys(REQUESTS) | {"request_id": number, "attempt": 0, "intended_ns": 1, "outcome": Outcome.FAIL.value}
        rows.write(row | {"sent_ns": 1 if number < sent else None, "region": "default"})
    log.close()
    rows.close()


def test_nothing_is_offered_before_there_is_a_record(run: ActiveRun) -> None:
    assert not load.offered("act")


@pytest.mark.parametrize(
    ("begun_s", "record", "is_offered"),
    [
        (10.5, {"sent": 500}, True),
        (10.5, {"sent": 100, "under_way": 400}, True),  # who waits was sent, too
        (10.5, {"sent": 400, "unsent": 100}, False),  # the cap was hit
        (10.5, {"sent": 100}, False),  # the generator has ended
        (0.7, {"sent": 10}, False),  # too few as yet to tell
        (60.0, {"sent": 500, "under_way": 100}, False),
    ],
)
def test_it_was_offered_if_nine_of_ten_that_were_due_were_sent(
    run: ActiveRun, begun_s: float, record: dict[str, int], is_offered: bool
) -> None:
    recorded(run, begun_s, **record)
    assert load.offered("act") is is_offered


def running(value: float, pod: str) -> Scraped:
    return waiting(value, pod, __name__="vllm:num_requests_running")


def test_engines_are_busy_by_what_runs_and_waits_at_all_of_them(tmp_path: Path) -> None:
    series = [running(8, "inference-a"), running(7, "inference-b"), waiting(9, "inference-a"), waiting(0, "inference-b")]
    with prometheus_server(*series) as server:
        live_run(FakeCluster(), tmp_path, {"act": [TARGET]}, local_target(prometheus={"url": server.url}))
        assert queue.busy("act", "inference", 24)
        assert not queue.busy("act", "inference", 25)


def test_of_an_engine_that_is_not_known_the_gauge_of_the_target_file_is_read(tmp_path: Path) -> None:
    with prometheus_server(waiting(30, __name__="own_queue")) as server:
        target = local_target(prometheus={"url": server.url})
        usual = target.roles["inference"]
        role = usual.model_copy(update={"metrics": usual.metrics.model_copy(update={"queue": "own_queue"})})
        live_run(FakeCluster(), tmp_path, {"act": [TARGET]}, target.model_copy(update={"roles": target.roles | {"inference": role}}))
        assert queue.busy("act", "inference", 30)


def test_engines_that_are_not_scraped_say_nothing(tmp_path: Path) -> None:
    with prometheus_server() as server:
        live_run(FakeCluster(), tmp_path, {"act": [TARGET]}, local_target(prometheus={"url": server.url}))
        with pytest.raises(NoData):
            queue.busy("act", "inference", 1)
