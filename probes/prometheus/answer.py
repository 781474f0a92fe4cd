"""The answer to an instant query, whatever its kind: vector, matrix, scalar. One that lacks a part, or is an error, is none.

The format: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import requests
from pydantic import BaseModel, Field, ValidationError

from history.errors import NoData
from probes.prometheus.blame import words_of

Labels = dict[str, str]
Point = tuple[float, float]
"""When, in seconds of Prometheus' clock, and the value."""
HARMLESS = "PromQL info"
"""How a warning begins that says nothing of a missing part, as versions before 3 write it."""
IN_ITS_PLACE = "not as Prometheus does; something answers in its place; see url and auth"
OF_THE_QUESTION = {"bad_data", "execution", "400", "422"}
"""Kinds of errors by which the question is wrong, not Prometheus. VictoriaMetrics gives the status as the kind."""


class Unanswered(NoData):
    """Nobody answered in Prometheus' words: it is away, does not let the suite in, or something answers in its place."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and its samples in their order, at least one."""

    labels: Labels
    points: tuple[Point, ...]

    @property
    def value(self) -> float:
        """Its newest value."""
        return self.points[-1][1]

    @property
    def at_s(self) -> float:
        """When that is from: of a matrix, when it was scraped; else, when Prometheus was asked."""
        return self.points[-1][0]

    @property
    def name(self) -> str:
        """Its labels as PromQL writes them."""
        return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(self.labels.items())) + "}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered. A scalar is one series without labels."""

    kind: Literal["vector", "matrix", "scalar"]
    series: tuple[Series, ...] = ()


class _Element(BaseModel):
    metric: Labels = Field(default_factory=dict)
    value: Point | None = None
    values: tuple[Point, ...] = ()

    @property
    def points(self) -> tuple[Point, ...]:
        return self.values if self.value is None else (self.value,)


class _Many(BaseModel):
    kind: Literal["vector", "matrix"] = Field(alias="resultType")
    result: tuple[_Element, ...] | None  # null: none, as some stores write it


class _Scalar(BaseModel):
    kind: Literal["scalar"] = Field(alias="resultType")
    result: Point


class _Text(BaseModel):
    kind: Literal["string"] = Field(alias="resultType")


_Data = Annotated[_Many | _Scalar | _Text, Field(discriminator="kind")]


class _Body(BaseModel):
    status: Literal["success", "error"]
    data: _Data | None = None
    error: str | None = None
    error_kind: str = Field(default="", alias="errorType")
    warnings: tuple[str, ...] | None = None
    partial: bool = Field(default=False, alias="isPartial")  # VictoriaMetrics says so, and warns of nothing

    @property
    def missing(self) -> list[str]:
        """What says that a part of the data is missing."""
        return [text for text in self.warnings or () if not text.startswith(HARMLESS)] + (["isPartial"] if self.partial else [])


def answer_of(heard: requests.Response, where: str, promql: str) -> Answer:
    """Return what a response says. ``where``: who answered, as a sentence begins.

    Raises:
        NoData: the question is wrong, or a part of the data is missing, in Prometheus' own words.
        Unanswered: these are not Prometheus' words.

    """
    try:
        body = _Body.model_validate_json(heard.content)
    except ValidationError as error:
        who = "it, or a gateway before it, is in trouble; see their logs" if heard.status_code >= 500 else IN_ITS_PLACE
        raise Unanswered(f"{where} answers HTTP {heard.status_code}: {words_of(heard)}: {who}") from error
    if body.error_kind in OF_THE_QUESTION:
        raise NoData(f"{where} does not take {promql} ({body.error}); correct the query")
    if body.status == "error" or body.data is None or not heard.ok:
        raise Unanswered(f"{where} answers HTTP {heard.status_code}: {body.error or words_of(heard)}; see its own logs")
    if missing := body.missing:
        raise NoData(
            f"{where} answers {promql} by a part of its data ({'; '.join(missing)}); a part is no answer: let it reach all its stores"
        )
    return _of(body.data, where, promql)


def _of(data: _Many | _Scalar | _Text, where: str, promql: str) -> Answer:
    if isinstance(data, _Text):
        raise NoData(f"{where}: {promql} is a text; an expression with a number is needed")
    if isinstance(data, _Scalar):
        return Answer("scalar", (Series({}, (data.result,)),))
    elements = data.result or ()
    found = [Series(one.metric, points) for one in elements if (points := one.points)]
    if len(found) < len(elements):
        raise NoData(f"{where}: {promql} is a native histogram; take a number of it, as by histogram_quantile")
    return Answer(data.kind, tuple(found))
