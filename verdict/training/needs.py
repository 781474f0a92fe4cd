"""Which rows and fields of a training ledger each check needs, and the sentence for those that are missing."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from history.ledgers import PLAIN, detail_of
from verdict.inputs.training_job import TrainingJob
from verdict.words import count

OURS, UNDISTURBED = "the job's ledger", "the ledger of its undisturbed run"


class Need(NamedTuple):
    """A field that checks need in rows of a kind. ``when``: only then (empty: always)."""

    checks: tuple[str, ...]
    kind: str
    field: str
    holds: str
    when: str = ""


RESTARTED = Need(
    ("ledger", "rpo_steps", "rpo_samples"), "start", "step", "the step of the checkpoint that it goes on from (0: from nothing)"
)
STEPPED = Need(("ledger", "baseline", "rto"), "step", "step", "which step this rank did; a step is done when every rank has a row of it")
SAMPLES = Need(("samples",), "step", "samples", "the ids of the samples that this rank saw in this step")
LOSS = Need(("state",), "step", "loss", "the loss of this step", "`state: {mode: tolerance, losses: …}`")
HOST = Need(("writers",), "step", "host", "the name of the host or pod")
PID = Need(("writers",), "step", "pid", "the number of the process")
DIGEST = Need(
    ("state",),
    "state",
    "digest",
    "a digest of weights, optimizer, generators and data position; that of a `checkpoint` row counts as well",
    "`state: exact`",
)
STORES = Need(
    ("baseline", "checkpoints"),
    "checkpoint",
    "stores",
    'a list, for each store `{"url": …, "problem": "", "verified": [step, attempt]}` of the newest checkpoint that was read back',
)
NEEDS = (RESTARTED, STEPPED, SAMPLES, LOSS, HOST, PID, DIGEST, STORES)


def lacking(rows: pl.DataFrame, need: Need, whose: str = OURS) -> str:
    """Return that rows of the kind lack the field, and for which check it is needed; empty if all have it, or there are none."""
    ours = rows.filter(pl.col("kind") == need.kind)
    if need.field in PLAIN:
        without = ours.filter(pl.col(need.field).is_null())
    else:
        without = ours.filter([detail_of(detail).get(need.field) is None for detail in ours["detail"]])
    if without.is_empty():
        return ""
    first = without.sort("step", "rank").row(0, named=True)
    of = f"{count(without.height, 'row')} of {ours.height:,} in {whose} {'lacks' if without.height == 1 else 'lack'} it"
    return f"{_asked(need)} in each `{need.kind}` row: {of}, the first is that of step {first['step']}, rank {first['rank']}"


def absent(need: Need, whose: str = OURS) -> str:
    """Return that no row of the kind is there, and for which check it is needed."""
    return f"{_asked(need)} in `{need.kind}` rows, and {whose} has no such row"


def missing_in(job: TrainingJob, need: Need) -> str:
    """Return what of the field is missing in the job's ledger or in its reference's; empty: nothing, or there is no reference at all."""
    return lacking(job.rows, need) or lacking(job.reference, need, UNDISTURBED)


def undigested(job: TrainingJob) -> str:
    """Return that the job's ledger, or its reference's, holds no digest of a state at all; empty: both do, or there is no reference."""
    for rows, whose in ((job.rows, OURS), (job.reference, UNDISTURBED)):
        digests = rows.filter(pl.col("kind").is_in(["state", "checkpoint"]))["digest"]
        if not rows.is_empty() and not digests.drop_nulls().len():
            return lacking(rows, DIGEST, whose) or absent(DIGEST, whose)
    return ""


def unverifiable(job: TrainingJob) -> str:
    """Return ``: `` and that no row of the whole ledger can tell of a verified checkpoint, and why; empty: some can."""
    rows = job.rows.filter(pl.col("kind") == STORES.kind)
    if rows.is_empty():
        return f": {absent(STORES)}"
    stores = [store for detail in rows["detail"] for store in detail_of(detail).get(STORES.field) or ()]
    if stores and any(isinstance(store, dict) and "verified" in store for store in stores):
        return ""
    return f": {lacking(rows, STORES) or f'{_asked(STORES)} with `verified` in each store'}"


def table() -> str:
    """Return the needs as the table of a page."""
    lines = ["| row (`kind`) | field | what it holds | checks that need it |", "|---|---|---|---|"]
    for need in NEEDS:
        names = ", ".join(f"`{name}`" for name in need.checks)
        lines.append(f"| `{need.kind}` | `{need.field}` | {need.holds} | {names}{f' ({need.when})' if need.when else ''} |")
    return "\n".join(lines) + "\n"


def _asked(need: Need) -> str:
    checks = (
        f"check `{need.checks[0]}` needs" if len(need.checks) == 1 else f"checks {' and '.join(f'`{one}`' for one in need.checks)} need"
    )
    return f"{checks} the field `{need.field}`"
