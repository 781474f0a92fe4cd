"""Jobs driven and followed against a real Redis, API and consumer: what is killed meanwhile, and what the record says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from history.clock import now_ns
from history.prompts import read_prompts
from history.reader import LEDGERS, read_table
from runner.drivers.async_inference.client import JobsClient
from runner.drivers.async_inference.progress import JobsProgress
from runner.drivers.driver import WorkloadFailed
from testing.async_inference.engine import at_once, engine, gone
from testing.async_inference.stack import stack
from testing.waiting import wait_for
from verdict.async_inference.plan import AsyncPlan, AsyncSlo, Jobs
from verdict.async_inference.record import record_of

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="Redis is not installed: apt-get install redis-server")
SLO = AsyncSlo(ratio=0.8, accepted_s=2, done_s=2)


def plan(url: str) -> AsyncPlan:
    jobs = Jobs(endpoint="async", api="api:1", rate_rps=10, model="m", prompts="prompts.jsonl", cancelled=0.3, drain_s=60)
    return AsyncPlan(name="async-inference", slo=SLO, jobs=jobs, url=url, seed=7)


def test_jobs_are_followed_through_a_lost_engine_a_killed_consumer_and_a_killed_redis(tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text(
        "".join(json.dumps({"prompt": f"p{n}", "completion": f"answer to p{n}"}) + "\n" for n in range(5))
    )
    (run_dir := tmp_path / "run").mkdir()
    with engine() as asked, stack(tmp_path / "stack", asked.url, ("one", "two"), RECLAIM_S="1", RETRY_S="0.1") as queued:
        client = JobsClient(queued.url, timeout_s=60)
        made = plan(queued.url)
        progress = JobsProgress(run_dir, made, read_prompts(tmp_path / "prompts.jsonl"), client, client.last_place())
        wait_for(lambda: not progress.lacks(0), "enough jobs have ended")
        fault_ns = now_ns()
        asked.answering = gone
        queued.kill("one")
        wait_for(lambda: client.backlog()["depth"] > 10, "jobs wait")
        assert not progress.recovered(fault_ns, fault_ns, 0.5)
        queued.kill("redis")
        queued.start_redis()
        asked.answering = at_once
        wait_for(lambda: progress.recovered(fault_ns, fault_ns, 2.0), "jobs are done in time again")
        assert progress.failure() == ""
        files = progress.drain()
    rows = {name: read_table(run_dir / LEDGERS, name, schema=schema) for name, schema in made.LEDGERS.items()}
    assert {file.name.split(".")[0] for file in files} == set(rows)
    accepted = record_of(rows["jobs_submitted"], rows["jobs_ended"], SLO).accepted
    assert accepted.height > 30
    assert accepted["ends"].unique().to_list() == [1]
    assert accepted["state"].unique().to_list() == ["done"]
    fetched = rows["jobs_fetched"]
    assert set(fetched["job"]) == set(accepted["job"])
    assert (fetched["status"].unique().to_list(), fetched["right"].unique().to_list()) == ([200], [True])
    assert accepted.filter(pl.col("cancelled")).height > 3


def test_a_queue_that_nobody_can_ask_starts_no_run_and_an_ended_load_says_so(tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "p"}\n')
    (run_dir := tmp_path / "run").mkdir()
    client = JobsClient("http://127.0.0.1:9", timeout_s=1)
    progress = JobsProgress(run_dir, plan("http://127.0.0.1:9"), read_prompts(tmp_path / "prompts.jsonl"), client, "0")
    wait_for(lambda: progress.record().rows.height > 3, "submissions have failed")
    assert progress.lacks(0) != ""
    assert progress.record().accepted.is_empty()
    progress._halt.set()
    wait_for(progress.failure, "the end is told")
    with pytest.raises(WorkloadFailed, match="the threads that submit and follow jobs ended"):
        progress.drain()
