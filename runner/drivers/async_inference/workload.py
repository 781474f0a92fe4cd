"""A class of asynchronous jobs as a target file writes it, and what steady means for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from runner.experiment.steady_state import Steady, steady_for
from target.mistakes import Refusal
from target.target import Target
from target.workload import Positive, SteadyState, WorkloadClass
from verdict.async_inference.plan import AsyncSlo, Jobs


class AsyncSteadyState(SteadyState):
    """What must hold while all is well."""

    depth_max: int = Field(default=20, ge=0)  # jobs that were accepted and have not ended
    oldest: Positive = 10.0  # of them


class AsyncClass(WorkloadClass):
    """Asynchronous jobs."""

    kind: Literal["async"] = "async"
    slo: AsyncSlo = AsyncSlo()
    jobs: Jobs
    steady_state: AsyncSteadyState = AsyncSteadyState()

    def refusals(self, target: Target) -> Iterator[Refusal]:
        """Yield an endpoint that is not there, and an API without a port."""
        yield from super().refusals(target)
        if any(self.jobs.endpoint not in region.endpoints for region in target.regions.values()):
            yield ("jobs", "endpoint"), f"{self.jobs.endpoint!r} is not under endpoints"
        if not self.jobs.api.partition(":")[2].isdigit():
            yield ("jobs", "api"), f"{self.jobs.api!r} is not service:port; write the Service of the API, as async-api:8300"


@steady_for(AsyncClass)
def steady(_target: Target, workload: AsyncClass) -> Steady:
    """Ask that the queue is short, nothing in it is old, and no consumer is missing."""
    declared, api = workload.steady_state, workload.jobs.api
    made = Steady("accepted jobs are done soon, and every consumer is there")
    made.ask("queue-is-short", "jobs.depth", (0, declared.depth_max), role=workload.role, api=api)
    made.ask("nothing-is-old", "jobs.oldest_s", (0, declared.oldest), role=workload.role, api=api)
    made.ask("no-consumer-is-missing", "replicas.missing", 0, role=workload.role)
    return made
