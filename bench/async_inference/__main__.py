"""``python -m bench.async_inference``: Redis, the API or a consumer killed at random moments, one round a kill. Resumable.

Each round has a Redis of its own, an API, two consumers, and an engine that takes a random time for each answer and counts them.
Jobs are submitted all the while by the driver that experiments use. At a random moment one of the processes is killed (SIGKILL) and started
again. Every id that was answered 202 must end exactly once, and its result must be there. One that the engine answered twice must say so:
work on it was begun more than once.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import polars as pl

from bench.common import pages
from bench.common.tables import ROOT, Row, add_rows, rows_of
from history.clock import now_ns
from history.prompts import Prompt
from history.reader import LEDGERS, read_table
from runner.drivers.async_inference.client import JobsClient
from runner.drivers.async_inference.progress import JobsProgress
from testing.async_inference.engine import Engine, engine
from testing.async_inference.stack import Stack, stack
from testing.waiting import wait_for
from verdict.async_inference.plan import AsyncPlan, AsyncSlo, Jobs
from verdict.async_inference.record import record_of

COMMAND = "python -m bench.async_inference --kills 100 --write docs/results/async-soak.md"
TABLE = ROOT / "reports" / "out" / "async-soak" / "kills.jsonl"
VICTIMS = ("redis", "api", "consumer")
SETTINGS = {"RECLAIM_S": "1", "RETRY_S": "0.1", "MAX_DELIVERIES": "10", "ENGINE_TIMEOUT_S": "5"}
LONGEST_S, JOBS_BEFORE, JOBS_AFTER = 0.2, 5, 10
SLO = AsyncSlo(ratio=0.8, accepted_s=2, done_s=10)
PROMPTS = tuple(Prompt(f"p{number}", f"answer to p{number}") for number in range(20))


def answering(served: Engine, rng: Random) -> Counter[str]:
    """Let the engine take a random time for each answer; return the count of its answers by job, which goes on."""
    answered = Counter[str]()

    def slow(job: str, _request: dict[str, object]) -> int:
        time.sleep(rng.random() * LONGEST_S)
        answered[job] += 1
        return 200

    served.answering = slow
    return answered


def round_of(seed: int) -> Row:
    """Carry out one round and return its row."""
    rng, folder = Random(seed), Path(tempfile.mkdtemp(prefix="async-soak-"))  # noqa: S311 - moments, no secrets
    victim = VICTIMS[seed % len(VICTIMS)]
    try:
        with engine() as served, stack(folder / "stack", served.url, ("consumer", "other"), **SETTINGS) as queued:
            answered = answering(served, rng)
            (folder / "run").mkdir()
            record, fetched, moment_s = _driven(queued, folder / "run", victim, rng, seed)
            return {"seed": seed, "victim": victim, "moment_s": round(moment_s, 3)} | figures(record, fetched, answered)
    finally:
        shutil.rmtree(folder)


def _driven(queued: Stack, run_dir: Path, victim: str, rng: Random, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, float]:
    """Submit jobs, kill the victim meanwhile, start it again, and return what became of jobs and of fetching them."""
    jobs = Jobs(endpoint="async", api="api:1", rate_rps=12, model="m", prompts="none", cancelled=0.2, drain_s=60)
    plan = AsyncPlan(name="async-inference", slo=SLO, jobs=jobs, url=queued.url, seed=seed)
    client = JobsClient(queued.url, timeout_s=5)
    progress = JobsProgress(run_dir, plan, PROMPTS, client, client.last_place())
    wait_for(lambda: progress.record().accepted.height >= JOBS_BEFORE, "jobs are accepted", 60)
    moment_s = rng.random() * 1.0
    time.sleep(moment_s)
    struck_ns = now_ns()
    queued.kill(victim)
    restart(queued, victim)
    after = pl.col("intended_ns") > struck_ns
    wait_for(lambda: progress.record().accepted.filter(after).height >= JOBS_AFTER, "jobs are accepted again", 120)
    progress.drain()
    rows = {name: read_table(run_dir / LEDGERS, name, schema=schema) for name, schema in plan.LEDGERS.items()}
    return record_of(rows["jobs_submitted"], rows["jobs_ended"], SLO).rows, rows["jobs_fetched"], moment_s


def restart(queued: Stack, victim: str) -> None:
    """Start what was killed."""
    if victim == "redis":
        queued.start_redis()
    elif victim == "api":
        queued.start_api()
    else:
        queued.start_consumer(victim)


def figures(rows: pl.DataFrame, fetched: pl.DataFrame, answered: Counter[str]) -> Row:
    """Return what one round came to. ``untold``: jobs that the engine answered more often than work on them is said to have begun."""
    accepted = rows.filter(pl.col("status") == 202)
    got = fetched.filter((pl.col("status") == 200) & pl.col("right"))
    told = dict(zip(rows["job"], rows["attempts"].fill_null(0), strict=True))
    return {
        "submitted": rows.height,
        "accepted": accepted.height,
        "lost": accepted.filter(pl.col("ends") == 0).height,
        "ended_twice": rows.filter(pl.col("ends") > 1).height,
        "done_again": sum(times > 1 for times in answered.values()),
        "untold": sum(times > told.get(job, 0) for job, times in answered.items() if times > 1),
        "unfetched": accepted.filter(pl.col("state") == "done").join(got, on="job", how="anti").height,
        "dead": accepted.filter(pl.col("state") == "dead").height,
    }


def sound(row: Row) -> bool:
    """Tell whether nothing was lost, done twice without being told, dead or out of reach, of jobs that there were."""
    return row["accepted"] > 0 and not any(row[name] for name in ("lost", "ended_twice", "untold", "unfetched", "dead"))


def markdown(rows: list[Row]) -> str:
    """Return the page."""
    total = {name: sum(row[name] for row in rows) for name in ("accepted", "lost", "ended_twice", "done_again", "untold", "unfetched")}
    cells = (
        (row["seed"], row["victim"], f"{row['moment_s']:.3f} s", row["accepted"], row["lost"], row["done_again"], row["untold"])
        for row in rows
    )
    return pages.page(
        "Soak: asynchronous inference killed at random moments",
        COMMAND,
        rows,
        "Resumable. A kill is SIGKILL to a real Redis (`appendfsync always`), API or consumer in mid-load. The engine takes up to 0.2 s.",
        f"**{len(rows)} kills, {total['accepted']:,} accepted ids: {total['lost']} lost, {total['ended_twice']} ended twice, "
        f"{total['untold']} done twice without being told, {total['unfetched']} results out of reach.** Work on {total['done_again']} was "
        "done again, and each says so.",
        pages.table(("round", "killed", "after", "accepted", "lost", "done again", "of these untold"), cells),
    )


def main(argv: list[str] | None = None) -> int:
    """Kill until the table holds enough, print it; exit code 1 if a round was not sound."""
    parser = pages.parser_of("bench.async_inference", __doc__)
    pages.add_time_limit(parser)
    parser.add_argument("--kills", type=int, default=100)
    options = parser.parse_args(argv)
    if shutil.which("redis-server") is None:
        print("async_inference: redis-server is not installed; make build installs it", file=sys.stderr)
        return 2
    began_s = time.monotonic()
    while len(rows := rows_of(TABLE)) < options.kills and time.monotonic() - began_s < options.for_s:
        row = round_of(len(rows) + 1)
        add_rows(TABLE, [row])
        print(f"{row['seed']}/{options.kills} {row['victim']} killed: {row}", file=sys.stderr, flush=True)
    pages.publish(markdown(rows), options.write)
    return int(not all(map(sound, rows)))


if __name__ == "__main__":
    sys.exit(main())
