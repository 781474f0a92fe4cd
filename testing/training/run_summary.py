"""What a run of real ranks came to, from its ledger alone, by the functions that judge a training job."""

from collections.abc import Sequence

import polars as pl

from history.ledgers import training_rows
from history.schema import TRAINING
from history.workloads import Training
from verdict.inputs.training_job import Start, training_job_of
from verdict.training.exactly_once import Seen, seen_of, two_writers
from workloads.training.data import Order


class RunSummary:
    """Which steps and samples a run saw, who wrote, and the digest of its last state. ``text``: the ledger, whole lines."""

    def __init__(self, text: bytes) -> None:
        rows = pl.DataFrame(list(training_rows(text)), schema=TRAINING)
        first = training_job_of(_job(1, 1), rows).starts[0]
        steps = int(rows.select(pl.col("step").max()).item())
        self.ledger = training_job_of(_job(first.ranks, steps), rows, _expected(first, steps))
        self.attempts = self.ledger.starts

    @property
    def last(self) -> Start:
        """The newest attempt."""
        return self.attempts[-1]

    @property
    def last_lost_steps(self) -> int:
        """Steps done before the newest attempt that are not in the checkpoint it resumed from."""
        return self.ledger.lost_steps(self.last)

    @property
    def seen(self) -> Seen:
        """Steps without a gap, and the samples that they skipped or repeated against the seeded order."""
        found = seen_of(self.ledger)
        assert found is not None
        return found

    @property
    def final_digest(self) -> str | None:
        """Digest of the whole state at the last step that the ranks compared."""
        states = self.ledger.rows.filter(pl.col("kind") == "state").sort("step", "attempt")
        digests: list[str] = states["digest"].to_list()
        return digests[-1] if digests else None

    @property
    def writers(self) -> Sequence[str]:
        """Two who wrote for one run, as sentences."""
        return two_writers(self.ledger)

    @property
    def differing(self) -> list[int]:
        """Steps whose result differs between ranks, or between attempts; another number of ranks rounds otherwise."""
        if len({start.ranks for start in self.attempts}) > 1:
            return []
        results = self.ledger.rows.filter(pl.col("kind") == "step").group_by("step").agg(pl.col("loss_digest").n_unique())
        return sorted(results.filter(pl.col("loss_digest") > 1)["step"])

    @property
    def flawless(self) -> bool:
        """Whether every sample was seen exactly once an epoch, by one writer, with the same result on every replay."""
        return not (self.seen.skipped or self.seen.repeated or self.writers or self.differing)


def _job(ranks: int, steps: int) -> Training:
    names = {"template": "", "namespace": "", "job": "", "ledger": "", "reference": ""}
    return Training(ranks=ranks, pods=1, steps=steps, batch=1, max_restarts=0, interval_steps=1, **names)


def _expected(start: Start, steps: int) -> pl.DataFrame:
    """Return the rows of a run that sees the samples in the seeded order, as one rank."""
    batch, order = start.detail["batch"], Order(start.detail["data_samples"], start.detail["seed"])
    rows = [{"kind": "step", "step": step, "samples": order.window((step - 1) * batch, batch)} for step in range(1, steps + 1)]
    return pl.DataFrame(rows, schema=TRAINING)
