"""A training job's ledger as the plot shows it: steps by when they were done, what was done again, and every checkpoint with its fate."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from history.ledgers import detail_of
from history.result import RunVerdict
from reports.axis import Attempt, Progress, Saved
from reports.text import one_line
from reports.trial.lanes import Clock, lanes_of
from reports.trial.timeline import extent, marks_of, zero_of
from verdict.case import Case
from verdict.inputs.training_job import Start, TrainingJob

POINTS = 400
"""Steps of one attempt that are drawn: the first and the last, and evenly between them."""
REJECTED = re.compile(r"step-(\d{8})\.a\d+")


def progress_of(case: Case, verdict: RunVerdict, zero_ns: int) -> Progress | None:
    """Return what the plot of a training job shows, in seconds after ``zero_ns``; None if the run followed none, or no step was done."""
    job = case.training
    if job is None or not job.done:
        return None
    from_s, to_s = extent(pl.Series([(step.t_ns - zero_ns) / 1e9 for step in job.done]))
    from_s, clock = min(from_s, 0.0), Clock(zero_ns, from_s, to_s)
    lanes = lanes_of(case, verdict, clock)
    return Progress(
        zero=zero_of(case),
        from_s=round(from_s, 3),
        to_s=round(to_s, 3),
        lanes=lanes.shown,
        lanes_unchanged=lanes.unchanged,
        lanes_left_out=lanes.left_out,
        marks=tuple(marks_of(case, verdict, zero_ns, to_s)),
        attempts=tuple(_attempts(job, clock)),
        checkpoints=tuple(saved for saved in sorted(_checkpoints(job, clock), key=lambda saved: saved.t_s) if from_s <= saved.t_s <= to_s),
    )


def _attempts(job: TrainingJob, clock: Clock) -> Iterator[Attempt]:
    highest = 0
    for start in job.starts:
        done = [step for step in job.done if step.attempt == start.attempt and clock.s(step.t_ns) >= clock.from_s]
        beyond = next((step.t_ns for step in done if step.step > highest), done[-1].t_ns if done else None)
        again = beyond is not None and start.step < highest
        shown = done[:: max(1, len(done) // POINTS)] + done[-1:]
        yield Attempt(
            attempt=start.attempt,
            from_s=round(max(clock.s(start.t_ns), clock.from_s), 3),
            from_step=start.step,
            t_s=tuple(round(clock.s(step.t_ns), 3) for step in shown),
            step=tuple(step.step for step in shown),
            replayed_to_s=round(clock.s(beyond), 3) if again and beyond is not None else None,
            lost_steps=job.lost_steps(start),
        )
        highest = max([highest, *(step.step for step in job.done if step.attempt == start.attempt)])


def _checkpoints(job: TrainingJob, clock: Clock) -> Iterator[Saved]:
    for t_ns, step, detail in job.rows.filter(pl.col("kind") == "checkpoint").select("t_ns", "step", "detail").iter_rows():
        stores = [store for store in detail_of(detail).get("stores") or () if isinstance(store, dict)]
        problems = [one_line(str(store.get("problem")), 160) for store in stores if store.get("problem")]
        whole = "verified" if not problems else "verified in part" if len(problems) < len(stores) else "not saved"
        yield Saved.model_validate({"t_s": round(clock.s(t_ns), 3), "step": step, "state": whole, "note": "; ".join(problems)})
    for start in job.starts:
        yield from _passed_over(start, clock)


def _passed_over(start: Start, clock: Clock) -> Iterator[Saved]:
    for sentence in start.rejected:
        named = REJECTED.search(sentence)
        if named:
            yield Saved(t_s=round(clock.s(start.t_ns), 3), step=int(named[1]), state="passed over", note=one_line(sentence, 160))
