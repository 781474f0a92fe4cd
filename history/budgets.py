"""Budgets: what an experiment allows. A budget is declared once, as a field of :class:`Bounds`; whatever else knows it reads that.

Derived are its name in files, refusals, defaults of a class, what a run waits for, the names and units of the report, ``docs/budgets.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import AliasGenerator, BeforeValidator, ConfigDict, Field, model_validator

from history.kinds import ASYNC, REQUESTS, TRAINING, in_words
from history.values import FrozenModel, Seconds, Share, parse_duration, parse_share

WINDOW_S = 60.0
"""The window of availability where neither a window nor an RTO is budgeted (s)."""
OVER = " over "


@dataclass(frozen=True, slots=True)
class Budget:
    """What is declared of a budget beside its name in a plan and its type."""

    title: str
    unit: str  # as the report writes it: s, ms, ratio (a share), times (a multiple), or what is counted
    definition: str  # one sentence
    kinds: tuple[str, ...] = ()  # of workload that it means something for; empty: every kind
    at_least: bool = False  # the measured value must not be below it; otherwise it must not be above
    awaited: bool = False  # a time after the fault: ``deadline: auto`` is longer
    capacity: bool = False  # observing ends only when every role has its replicas again
    column: Literal["", "RPO"] = ""  # of the report's table of experiments; the first one that was checked is shown
    defaults: Mapping[str, float] = field(default_factory=dict)  # class of workload -> what the field usually needs
    name: str = ""  # in a plan; taken from the field

    @property
    def written(self) -> str:
        """The name in files."""
        return written(self.name)

    def fits(self, kind: str) -> bool:
        """Tell whether it means something for a workload of ``kind``."""
        return not self.kinds or kind in self.kinds


def written(name: str) -> str:
    """Return the name in files of the budget ``name`` of a plan: without ``_s``, since people write a duration with its unit."""
    return name.removesuffix("_s")


def _share_of(value: object) -> object:
    """Return the share of ``97% over 60s``; the window is read apart (:meth:`Bounds.availability_window_s`). Raises ValueError."""
    if not isinstance(value, str) or OVER not in value:
        return value
    share, over = value.split(OVER, maxsplit=1)
    if parse_duration(over) <= 0:
        raise ValueError(f"{value!r} has no window; write 97% over 60s")
    return parse_share(share.replace(" ", ""))


class Bounds(FrozenModel):
    """Budgets as a file sets them, for an experiment or a class of workload. ``None``: not budgeted, hence not checked."""

    model_config = ConfigDict(validate_by_name=True, alias_generator=AliasGenerator(validation_alias=written))

    rto_s: Annotated[
        Seconds | None,
        Budget(
            title="RTO",
            unit="s",
            definition="Time from the fault until users are served again for good; of training, until it is beyond every step done before.",
            awaited=True,
            defaults={
                "realtime-inference": 60,
                "async-inference": 300,
                "model-deployment": 300,
                "feature-store": 300,
                "batch-training": 3600,
                "data-labelling": 4 * 3600,
                "object-storage": 300,
            },
        ),
    ] = None
    rpo_requests: Annotated[
        int | None,
        Budget(
            title="RPO",
            unit="answers",
            definition="Answers after the fault that were acknowledged (complete, with a status of 2xx) and wrong.",
            kinds=(REQUESTS,),
            column="RPO",
            defaults={"realtime-inference": 0},
        ),
    ] = None
    availability: Annotated[
        Share | None,
        BeforeValidator(_share_of),
        Budget(
            title="Availability after the fault",
            unit="ratio",
            definition="Share of good requests among those under way at the fault and those of a window after it, as `97% over 60s` says. "
            "Without a window: the RTO budget, or as long as it takes until the SLO's share can be told, if that is longer; a control's "
            "window is at least so long, too. An experiment asks for no better share than the class's SLO. What the rate can never show is "
            "refused.",
            kinds=(REQUESTS,),
            at_least=True,
        ),
    ] = None
    availability_over_s: Seconds | None = None  # the window of ``availability``: part of what is written for it
    bad_seconds: Annotated[
        Seconds | None,
        Budget(
            title="Bad requests, in seconds of load",
            unit="s",
            definition="Bad requests over the offered rate: from the fault, with those under way then, until watching ended. No window "
            "flatters it.",
            kinds=(REQUESTS,),
        ),
    ] = None
    interrupted: Annotated[
        Share | None,
        Budget(
            title="Interrupted",
            unit="ratio",
            definition="Share of the requests under way at the fault that may be cut, stalled or late: of those answered elsewhere than on "
            "its targets; where the fault is graceful, of those on its targets, too. Without a budget: none.",
            kinds=(REQUESTS,),
        ),
    ] = None
    p95_ratio: Annotated[
        float | None,
        Budget(
            title="p95 latency after recovery",
            unit="times",
            definition="p95 latency after recovery over that of the baseline.",
            kinds=(REQUESTS,),
        ),
    ] = None
    capacity_rto_s: Annotated[
        Seconds | None,
        Budget(
            title="Full capacity",
            unit="s",
            definition="Time from the fault until as many replicas are ready as are wanted.",
            kinds=(REQUESTS,),
            awaited=True,
            capacity=True,
        ),
    ] = None
    rpo_steps: Annotated[
        int | None,
        Field(ge=0),
        Budget(
            title="RPO in steps",
            unit="steps",
            definition="Steps that were done before the fault and are not in the state that training went on from.",
            kinds=(TRAINING,),
            column="RPO",
        ),
    ] = None
    rpo_samples: Annotated[
        int | None,
        Field(ge=0),
        Budget(title="RPO in samples", unit="samples", definition="Samples of the steps that were lost.", kinds=(TRAINING,)),
    ] = None
    rpo_jobs: Annotated[
        int | None,
        Field(ge=0),
        Budget(
            title="RPO in jobs",
            unit="jobs",
            definition="Jobs that were acknowledged (202) and never came to an end, by when the drain of the load was over.",
            kinds=(ASYNC,),
            column="RPO",
            defaults={"async-inference": 0},
        ),
    ] = None

    because: dict[str, str] = Field(default_factory=dict)
    """Budget, by its name in files -> why it is this much, in a clause that the report shows."""

    @model_validator(mode="before")
    @classmethod
    def _window_is_written_with_the_share(cls, data: Any) -> Any:  # noqa: ANN401 - what a file says
        """Take the window of ``availability: 97% over 60s``; what cannot be read is for the field to refuse."""
        said = data.get("availability") if isinstance(data, dict) else None
        with suppress(ValueError):
            if isinstance(said, str) and OVER in said:
                return data | {written("availability_over_s"): parse_duration(said.split(OVER, maxsplit=1)[1])}
        return data

    @model_validator(mode="after")
    def _says_nothing_of_what_is_not_set(self) -> Bounds:
        if self.availability is None and self.availability_over_s is not None:
            raise ValueError("a window without a share; write availability: 97% over 60s")
        known = {written(name) for name in self.values()}
        if unknown := [name for name in self.because if name not in known]:
            raise ValueError(f"because: {unknown[0]} is not budgeted here; budgeted are {', '.join(sorted(known)) or 'none'}")
        return self

    @property
    def availability_window_s(self) -> float:
        """Return how long after the fault availability is counted (s): its own window, else the RTO budget, else a minute."""
        named = [over_s for over_s in (self.availability_over_s, self.rto_s) if over_s is not None and over_s > 0]
        return named[0] if named else WINDOW_S

    def values(self) -> dict[str, float]:
        """Return every budget that is set, by its name in a plan."""
        return {name: value for name in BUDGETS if (value := getattr(self, name)) is not None}

    def settings(self) -> dict[str, float | None]:
        """Return what is needed to set the same budgets elsewhere: :meth:`values`, and the window of an availability."""
        return self.values() | ({"availability_over_s": self.availability_over_s} if self.availability is not None else {})

    def awaited_s(self) -> float:
        """Return the longest time after the fault that is allowed for anything (s); 0: no such budget is set."""
        return max((value for name, value in self.values().items() if BUDGETS[name].awaited), default=0.0)

    def watched_s(self) -> float:
        """Return how long after the fault must be watched for the budgets that are set (s); 0: until all is well again is enough."""
        return self.availability_window_s if self.availability is not None else 0.0

    def needs_capacity(self) -> bool:
        """Tell whether a budget is set that can be judged only once all replicas are back."""
        return any(BUDGETS[name].capacity for name in self.values())

    def misplaced(self, kind: str) -> list[tuple[str, str]]:
        """Return (name in files, sentence) of every budget that is set and means nothing for a workload of ``kind``."""
        known = ", ".join(budget.written for budget in BUDGETS.values() if budget.fits(kind))
        return [
            (written(name), f"budget {written(name)} means nothing for {in_words(kind)}; leave it out; what can be budgeted there: {known}")
            for name in self.values()
            if not BUDGETS[name].fits(kind)
        ]


class Budgets(Bounds):
    """What a plan allows, and who said so."""

    source: dict[str, str] = Field(default_factory=dict)  # budget -> who set it (class default, target, experiment)


BUDGETS = {name: replace(one, name=name) for name, part in Bounds.model_fields.items() for one in part.metadata if isinstance(one, Budget)}
"""Every budget by its name in a plan, in the order in which they are declared."""


def class_defaults(workload: str, kind: str) -> dict[str, float]:
    """Return the budgets that the class ``workload`` of ``kind`` has by default; a target or an experiment may say otherwise."""
    return {name: budget.defaults[workload] for name, budget in BUDGETS.items() if workload in budget.defaults and budget.fits(kind)}
