"""A run that followed a training job, as a closed and judged run folder: two ranks, a kill, a damaged checkpoint, a replay."""

from __future__ import annotations

import json
from pathlib import Path

from history.budgets import Budgets
from history.close import close_run
from history.ledgers import LedgerWriter
from history.plan import Phase, Plan, ResolvedTarget, Timers, write_plan
from history.reader import read_run
from history.schema import EventKind
from history.writer import EventLog
from testing.histories.plain_plan import plain_plan
from verdict.judge import judge

BASE_NS = 1_790_000_000_000_000_000
RANKS, INTERVAL, BATCH, STEP_S = 2, 10, 8, 0.1
KILLED, RESUMED, LAST = 35, 20, 60  # the checkpoint of step 30 is passed over
BACK_S = 2.0  # from the kill to the first step again
Row = dict[str, object]


def _row(kind: str, attempt: int, rank: int, step: int, t_s: float, **values: object) -> Row:
    t_ns = BASE_NS + int(t_s * 1e9)
    fixed = {"kind": kind, "attempt": attempt, "rank": rank, "step": step, "t_ns": t_ns, "run": "r", "host": "node"}
    return {**fixed, "pid": attempt * 10 + rank, **values}


def _steps(attempt: int, first: int, last: int, at_s: float) -> list[Row]:
    rows = []
    for step in range(first, last + 1):
        t_s = at_s + (step - first) * STEP_S
        samples = [list(range((step - 1) * BATCH, step * BATCH))[rank::RANKS] for rank in range(RANKS)]
        rows += [_row("step", attempt, rank, step, t_s, samples=samples[rank], outcome="applied") for rank in range(RANKS)]
        rows += [_row("state", attempt, 0, step, t_s, digest=f"state-{step}")] if step % INTERVAL == 0 else []
        if step % INTERVAL == 3 and step > INTERVAL:
            rows.append(_saved(attempt, step // INTERVAL * INTERVAL, t_s))
    return rows


def _saved(attempt: int, step: int, t_s: float) -> Row:
    stores = [{"url": url, "problem": "", "verified": [step, 0]} for url in ("s3-b", "s3-c")]
    return _row(
        "checkpoint", attempt, 0, step, t_s, digest=f"state-{step}", stores=stores, seconds=0.2, name=f"step-{step:08d}.a{attempt:04d}"
    )


def _start(attempt: int, step: int, t_s: float, *rejected: str) -> Row:
    return _row("start", attempt, 0, step, t_s, world=RANKS, depth=len(rejected), rejected=rejected, restore_s=0.1, batch=BATCH)


def ledger() -> list[Row]:
    """The job's rows: killed at step 35, resumed from step 20 because the checkpoint of step 30 is damaged."""
    kill_s = (KILLED - 1) * STEP_S
    damaged = "s3-b: step-00000030.a0001: rank 0: shard-0-of-2.safetensors: 10 bytes with SHA-256 1…, saved were 10 bytes with 2…"
    first = [_start(1, 0, -0.2), *_steps(1, 1, KILLED, 0.0)]
    return [*first, _start(2, RESUMED, kill_s + BACK_S - 0.2, damaged), *_steps(2, RESUMED + 1, LAST, kill_s + BACK_S)]


def write_training_run(root: Path) -> Path:
    """Write the run folder under ``root`` and return it."""
    run_dir = root / "training-checkpoint-corrupted-1"
    run_dir.mkdir(parents=True)
    write_plan(plan(), run_dir)
    _events(run_dir)
    for name, rows in (("training", ledger()), ("reference", [_start(1, 0, -0.2), *_steps(1, 1, LAST, 0.0)])):
        book = LedgerWriter(run_dir, name, "test")
        book.write(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
        book.close()
    close_run(run_dir)
    (run_dir / "verdict.json").write_text(judge(read_run(run_dir)).model_dump_json())
    return run_dir


def _events(run_dir: Path) -> None:
    log, kill_s = EventLog(run_dir, "test"), KILLED * STEP_S - STEP_S + 0.01
    end_s = kill_s + BACK_S + (LAST - RESUMED) * STEP_S

    def at(t_s: float) -> int:
        return BASE_NS + int(t_s * 1e9)

    for phase, t_s in ((Phase.BASELINE, 1.0), (Phase.INJECT, kill_s - 0.01), (Phase.OBSERVE, kill_s + 0.1), (Phase.HEAL, end_s)):
        log.event(EventKind.PHASE, phase.value, t_ns=at(t_s))
    log.event(EventKind.FAULT_START, "kill-rank", t_ns=at(kill_s), targets=["trainer-1"])
    log.event(EventKind.FAULT_CONFIRMED, "rank-gone", t_ns=at(kill_s + 0.05), observed=True)
    log.event(EventKind.FAULT_END, "kill-rank", t_ns=at(kill_s + 0.05), how="at once")
    for t_s in (1.5, 2.5, end_s - 0.1):
        log.event(EventKind.HYPOTHESIS, "training-goes-on", t_ns=at(t_s), met=True, value=int(t_s * 10), no_data=False)
    log.event(EventKind.HEAL_START, t_ns=at(end_s))
    log.event(EventKind.HEAL_END, t_ns=at(end_s + 0.1), clean=True, remains=[])
    log.close()


def plan() -> Plan:
    """The plan of the run."""
    return plain_plan(
        run_id="20260921-141320-training-1",
        created_ns=BASE_NS - 4_000_000_000,
        experiment={
            "id": "storage/checkpoint-corrupted", "title": "The newest checkpoint is damaged, and a rank is killed",
            "tags": ("training", "C1"), "hypothesis": "training goes on", "digest": "9f2c",
        },
        target={"namespaces": ("ml-training",)},
        budgets=Budgets(rto_s=30, rpo_steps=40, source={"rto_s": "experiment"}),
        training={"ranks": RANKS, "pods": RANKS, "steps": LAST, "batch": BATCH, "interval_steps": INTERVAL},
        timers=Timers(baseline_s=2, hold_s=1, confirm_s=10, deadline_s=30, heal_s=10),
        targets=(ResolvedTarget(kind="Pod", name="trainer-1", namespace="ml-training"),),
        evidence=("rank-gone",),
        hypothesis_probes=("training-goes-on",),
    )  # fmt: skip
