"""What a plan says of asynchronous jobs, and the ledgers of a run with them. All times are ns UTC by the clock that times faults."""

from __future__ import annotations

from typing import ClassVar, Literal

import polars as pl
from pydantic import ConfigDict, Field

from history.values import FrozenModel, Seconds, Share
from history.workloads import WorkloadPlan

SUBMITTED: dict[str, pl.DataType] = {
    "job": pl.String(),  # its id, which the client chose
    "intended_ns": pl.Int64(),  # when the schedule says that a user asks
    "sent_ns": pl.Int64(),
    "answered_ns": pl.Int64(),
    "status": pl.Int32(),  # HTTP; null: no answer
    "error": pl.String(),
    "cancelled": pl.Boolean(),  # its client said right afterwards that it does not wait
}
ENDED: dict[str, pl.DataType] = {
    "job": pl.String(),
    "state": pl.String(),  # done, failed, dead
    "attempts": pl.Int32(),  # how often work on it was begun
    "seen_ns": pl.Int64(),  # when its client could know
    "place": pl.String(),  # of the row in the platform's own record of ends
}
FETCHED: dict[str, pl.DataType] = {
    "job": pl.String(),
    "t_ns": pl.Int64(),
    "status": pl.Int32(),  # HTTP; null: no answer
    "right": pl.Boolean(),  # null: the right answer is not known
}
BACKLOG: dict[str, pl.DataType] = {
    "t_ns": pl.Int64(),
    "depth": pl.Int64(),  # accepted and not ended
    "oldest_s": pl.Float64(),
    "dead": pl.Int64(),
}


LOOK_S = 0.25
"""So often the API is asked how jobs ended and how deep the queue is."""


class AsyncSlo(FrozenModel):
    """When one job counts as good, and which share must: accepted within ``accepted_s``, and done ``done_s`` after its user asked."""

    model_config = ConfigDict(validate_by_name=True)
    ratio: Share = Field(default=0.95, gt=0)
    accepted_s: Seconds = Field(default=2.0, gt=0, validation_alias="accepted")
    done_s: Seconds = Field(default=10.0, gt=0, validation_alias="done")


class Jobs(FrozenModel):
    """The jobs that are offered: where, how often, and what they ask for."""

    model_config = ConfigDict(validate_by_name=True)
    endpoint: str  # a key of the region's ``endpoints``
    api: str  # who answers for the queue: service:port in the namespace of the class's role
    rate_rps: float = Field(gt=0, le=100, allow_inf_nan=False)
    model: str
    prompts: str  # JSON lines: prompt, completion (the right greedy answer)
    max_tokens: int = Field(default=16, gt=0)
    cancelled: Share = 0.0  # of the clients, which say after 202 that they do not wait
    drain_s: Seconds = Field(
        default=60.0, gt=0, validation_alias="drain"
    )  # what was accepted must have ended so long after the last submission


class AsyncPlan(WorkloadPlan):
    """Asynchronous jobs."""

    LEDGERS: ClassVar[dict[str, dict[str, pl.DataType]]] = {
        "jobs_submitted": SUBMITTED,
        "jobs_ended": ENDED,
        "jobs_fetched": FETCHED,
        "jobs_backlog": BACKLOG,
    }
    kind: Literal["async"] = "async"
    slo: AsyncSlo
    jobs: Jobs
    url: str
    seed: int

    def text(self) -> str:
        """Return what is offered, for a person."""
        return f"{self.jobs.rate_rps:,.10g} asynchronous jobs/s, Poisson arrivals"

    @property
    def reading_s(self) -> float:
        """From one job to the next, and from one question for what ended to the next (s)."""
        return 1 / self.jobs.rate_rps + LOOK_S
