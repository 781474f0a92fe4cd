"""Which samples a training job saw, who wrote, and whether its state is that of a run that nothing disturbed."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import NamedTuple

import polars as pl

from verdict.inputs.training_job import TrainingJob
from verdict.training.resized import comparable_until


class Seen(NamedTuple):
    """Samples of the steps 1 to ``steps``, each as its newest attempt did it, against those of the reference run."""

    steps: int
    skipped: int
    repeated: int


class States(NamedTuple):
    """Digests of the whole state against the reference's at the same step. ``last`` is the last step that was compared (0: none).

    ``aside`` is the first step at which a batch was set aside for good (0: none): from there on the state rightly differs, and is not
    compared. Nor is it where another number of ranks than the reference's has had a part in it (:mod:`verdict.training.resized`).
    """

    compared: int
    last: int
    differing: tuple[int, ...]  # steps
    aside: int = 0


def seen_of(job: TrainingJob) -> Seen | None:
    """Return which samples were skipped and repeated beyond replay; None if there is no reference to compare with.

    What a step of a failed attempt saw and a later attempt did again counts once: only the later one is in the state.
    """
    reference = _samples(job.reference)
    if not reference:
        return None
    newest = job.newest_attempt
    rows = pl.DataFrame({"step": list(newest), "attempt": list(newest.values())}, schema={"step": pl.Int64(), "attempt": pl.Int32()})
    ours = _samples(job.rows.join(rows, on=["step", "attempt"], how="semi"))
    steps = 0
    while steps + 1 in ours and steps + 1 in reference:
        steps += 1
    seen = Counter(sample for step in range(1, steps + 1) for sample in ours[step])
    expected = Counter(sample for step in range(1, steps + 1) for sample in reference[step])
    return Seen(steps, (expected - seen).total(), (seen - expected).total())


def _samples(rows: pl.DataFrame) -> dict[int, list[int]]:
    seen = rows.filter(pl.col("kind") == "step").select("step", "samples").explode("samples").drop_nulls()
    return dict(seen.group_by("step").agg("samples").iter_rows())


def states_of(job: TrainingJob) -> States:
    """Compare every digest of the whole state (weights, optimizer, generators, data position) with the reference's at that step."""
    with_digest = pl.col("kind").is_in(["state", "checkpoint"]) & pl.col("digest").is_not_null() & (pl.col("digest") != "")
    expected = dict(job.reference.filter(with_digest).select("step", "digest").iter_rows())
    aside, of_attempt = _set_aside(job)
    until = comparable_until(job)
    compared = [
        (step, digest)
        for attempt, step, digest in job.rows.filter(with_digest).select("attempt", "step", "digest").iter_rows()
        if step in expected and step < min(aside or inf, of_attempt.get(attempt, inf)) and step <= until.get(attempt, inf)
    ]
    differing = sorted({step for step, digest in compared if digest != expected[step]})
    return States(len(compared), max((step for step, _ in compared), default=0), tuple(differing), aside)


def _set_aside(job: TrainingJob) -> tuple[int, dict[int, int]]:
    """Return the first step with a batch that was set aside for good (0: none), and the first one of each attempt.

    What an attempt set aside and a later one did again as usual is not in the end state.
    """
    rows = job.rows.filter((pl.col("kind") == "step") & (pl.col("outcome") == "quarantined")).select("attempt", "step").unique()
    of_attempt = dict(rows.group_by("attempt").agg(pl.col("step").min()).iter_rows())
    return min((step for attempt, step in rows.iter_rows() if job.newest_attempt.get(step) == attempt), default=0), of_attempt


def two_writers(job: TrainingJob) -> tuple[str, ...]:
    """Return where two wrote for one run: steps of an attempt after a newer one had begun, or one rank in two processes, as sentences.

    Times of two hosts are told apart by what their clocks may be wrong by.
    """
    apart_ns = int(2 * job.clocks.error_s * 1e9)
    steps = job.rows.filter(pl.col("kind") == "step")
    begun = dict(steps.group_by("attempt").agg(pl.col("t_ns").min()).iter_rows())
    late = []
    for attempt, t_ns, step, host in steps.group_by("attempt").agg(pl.col("t_ns", "step", "host").sort_by("t_ns").last()).iter_rows():
        newer = [other for other, first_ns in begun.items() if other > attempt and first_ns + apart_ns < t_ns]
        late += [f"attempt {attempt} did step {step} on {host} after attempt {min(newer)} had begun"] if newer else []
    twins = steps.group_by("attempt", "rank").agg(pl.struct("host", "pid").n_unique().alias("processes")).filter(pl.col("processes") > 1)
    doubles = [f"rank {rank} of attempt {attempt} was {count} processes" for attempt, rank, count in sorted(twins.iter_rows())]
    return (*sorted(late), *doubles)
