"""What steady means for a class of workload: what its target file says beyond the class's SLO."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from history.values import Seconds, Written

Positive = Annotated[Seconds, Field(gt=0)]
OF_REQUESTS, OF_TRAINING = frozenset({"ready", "p95_latency", "queue_max", "queue_metric"}), frozenset({"steps_per_s", "checkpoint_age"})


class SteadyState(Written):
    """What must hold while all is well. Besides, a class of requests serves the share that its SLO asks for."""

    window: Positive | None = None  # what is judged over the latest seconds; left out: 10 s of requests, 5 s of training
    ready: Literal["all"] = "all"  # replicas of the class's role, where it names a deployment
    p95_latency: Positive | None = None  # left out: the SLO's latency
    queue_max: int | None = Field(default=None, ge=0)  # requests that wait in front of the engines; left out: nobody asks
    queue_metric: str | None = Field(default=None, min_length=1)  # a gauge of Prometheus; left out: vLLM's
    steps_per_s: float = Field(default=1, gt=0, le=1000)
    checkpoint_age: Positive = 30.0  # of the newest verified one

    def misplaced(self, *, training: bool) -> list[str]:
        """Return the keys that were written and mean nothing for a training job, or for requests."""
        return sorted(self.model_fields_set & (OF_REQUESTS if training else OF_TRAINING))
