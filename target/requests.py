"""A class of requests as a target file writes it: its SLO, and the load that is offered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from history.answers import AnswerRule, Answers
from history.connection_policy import ConnectionPolicy
from history.errors import ConfigError
from history.prompts import knows_answers, read_prompts
from history.workloads import Offer, Slo
from target.mistakes import MISSING, Refusal
from target.secrets import credentials
from target.workload import Positive, SteadyState, WorkloadClass
from target.yaml_source import PROJECT

if TYPE_CHECKING:
    from target.target import Target


class RequestsSteadyState(SteadyState):
    """What must hold while all is well, besides that the share which the SLO asks for is served."""

    ready: Literal["all"] = "all"  # replicas of the class's role, where it names a deployment
    p95_latency: Positive | None = None  # left out: the SLO's latency
    queue_max: int | None = Field(default=None, ge=0)  # requests that wait in front of the engines; left out: nobody asks
    queue_metric: str | None = Field(default=None, min_length=1)  # a gauge of Prometheus; left out: the role's


class RequestsClass(WorkloadClass):
    """Requests of users."""

    kind: Literal["requests"] = "requests"
    slo: Slo
    load: Offer
    steady_state: RequestsSteadyState = RequestsSteadyState()
    answers: Answers = AnswerRule()
    connections: ConnectionPolicy = ConnectionPolicy()

    def refusals(self, target: Target) -> Iterator[Refusal]:
        """Yield an endpoint that is not there, a credential in the file, and ways to compare that are not built."""
        yield from super().refusals(target)
        yield from self._endpoint(target)
        yield from credentials.in_load(self.load.headers)
        if self.load.request.template is not None:
            yield from credentials.in_body(self.load.request.template.body, ("load", "request", "template", "body"))
        yield from self._not_built()

    def answer_rule(self) -> AnswerRule:
        """Return how answers are compared; where the file does not say, as its prompts do: exactly if any has a completion.

        Raises:
            ConfigError: the prompts file is wrong, or has no completion to compare with.

        """
        known = knows_answers(read_prompts(PROJECT / self.load.prompts))
        if self.answers.mode is None:
            return self.answers.model_copy(update={"mode": "exact" if known else "unknown"})
        if not known and not self.answers.unknown:
            raise ConfigError(
                f"answers: {self.answers.mode}, but no prompt of {self.load.prompts} has a completion to compare with; "
                "add the right greedy answers, or write answers: unknown"
            )
        return self.answers

    def secrets(self, environment: Mapping[str, str]) -> list[str]:
        """Return the credentials that its load sends, whole, and what follows a scheme such as ``Bearer``."""
        values = [environment.get(name, "").strip() for name in self.load.variables()]
        return [part for value in values for part in (value, value.partition(" ")[2]) if part]

    def _endpoint(self, target: Target) -> Iterator[Refusal]:
        keys, endpoint = ("load", "endpoint"), self.load.endpoint
        if not endpoint:
            yield keys, MISSING
            return
        of_role = target.regions_of(self.role) if self.role in target.roles else ()
        lacking = [name for name in of_role or target.regions if name in target.regions and endpoint not in target.regions[name].endpoints]
        if lacking:
            where = "" if len(target.regions) == 1 else f" of {' and '.join(lacking)}, where role {self.role} is"
            yield keys, f"{endpoint!r} is not under endpoints{where}"

    def _not_built(self) -> Iterator[Refusal]:
        if self.answers.mode == "scored":
            yield ("answers",), "answers are not scored as yet; write exact, prefix or unknown"
        if self.answers.unknown and self.answers.may_differ:
            yield ("answers", "may_differ"), "it means nothing where the right answers are unknown; leave it out"
