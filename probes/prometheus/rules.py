"""The alerting rules that a Prometheus has, with the alerts of each, and how often its targets are scraped.

The formats: https://prometheus.io/docs/prometheus/latest/querying/api/#rules and #targets. Thanos, Mimir, Cortex and vmalert answer alike,
where they have a ruler.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Literal, NamedTuple, TypeVar

import requests
from pydantic import BaseModel, Field, ValidationError

from history.errors import NoData
from history.values import parse_duration
from probes.prometheus import blame
from probes.prometheus.answer import IN_ITS_PLACE, Labels, Unanswered
from probes.prometheus.client import declared_of, get
from target.region import Region

ALERTING, RECORDING = "alerting", "recording"
NO_RULER = (
    "it serves no rules: Thanos, Mimir and VictoriaMetrics have a rules API only with a ruler; give prometheus the url of who evaluates "
    "the rules, or leave alerts out of the region"
)
Data = TypeVar("Data", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a rule. ``active_ns``: since when its expression has been true, by Prometheus' clock."""

    state: Literal["pending", "firing"]
    labels: Labels
    active_ns: int | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a group. ``evaluation_s``: how far apart its evaluations are. ``health``: ``ok``, ``err`` or ``unknown``."""

    kind: str
    group: str
    name: str
    query: str
    for_s: float
    evaluation_s: float
    health: str
    error: str
    alerts: tuple[Alert, ...]

    @property
    def key(self) -> tuple[str, str]:
        """By what it is known: its group and its name."""
        return self.group, self.name

    @property
    def failed(self) -> bool:
        """Whether its last evaluation failed: it fires for nobody then."""
        return self.health == "err"


class _Alert(BaseModel):
    state: str
    labels: Labels = Field(default_factory=dict)
    activeAt: datetime | None = None  # noqa: N815 - as the API spells it


class _Rule(BaseModel):
    kind: str = Field(alias="type")
    name: str
    query: str = ""
    duration: float = 0.0
    health: str = "ok"
    lastError: str | None = None  # noqa: N815
    alerts: tuple[_Alert, ...] | None = None


class _Group(BaseModel):
    name: str
    interval: float = 0.0
    rules: tuple[_Rule, ...] | None = None


class _Groups(BaseModel):
    groups: tuple[_Group, ...] | None = None


class _Target(BaseModel):
    labels: Labels = Field(default_factory=dict)
    scrapeInterval: str = ""  # noqa: N815
    scrapeTimeout: str = ""  # noqa: N815


class _Targets(BaseModel):
    activeTargets: tuple[_Target, ...] | None = None  # noqa: N815


class _Body(BaseModel):
    status: Literal["success", "error"]
    data: dict[str, object] | None = None
    error: str = ""


def rules_of(region: Region, wanted: Collection[tuple[str, str]] = ()) -> tuple[Rule, ...]:
    """Return every rule that the region's Prometheus has, recording rules too; of its alerts, those of the region's labels.

    ``wanted``: groups and names of rules to ask for alone. Older versions answer with all rules nevertheless.

    Raises:
        NoData: the target names no Prometheus.
        Unanswered: it does not answer, lets nobody in, or has no rules API; the sentence says what to do.

    """
    declared, where = declared_of(region)
    only = {"rule_group[]": sorted({group for group, _ in wanted}), "rule_name[]": sorted({name for _, name in wanted})} if wanted else {}
    heard = get(region, "rules", **only)
    if heard.status_code == HTTPStatus.NOT_FOUND:
        raise Unanswered(f"{where} answers HTTP 404 to /api/v1/rules: {NO_RULER}")
    groups = _data(heard, where, "rules", _Groups).groups or ()
    return tuple(_rule(group, rule, declared.labels) for group in groups for rule in group.rules or ())


class Scrapes(NamedTuple):
    """How far apart scrapes are (s), and after how long one that hangs is given up (s): only then its target counts as down."""

    interval_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Scraped:
    """What a Prometheus scrapes. ``where``: how sentences begin about it."""

    where: str
    targets: tuple[_Target, ...]


def scraped_by(region: Region) -> Scraped:
    """Return what the region's Prometheus scrapes. Raises NoData and Unanswered as :func:`rules_of`."""
    _, where = declared_of(region)
    return Scraped(where, _data(get(region, "targets", state="active"), where, "targets", _Targets).activeTargets or ())


def scrapes_of(scraped: Scraped, labels: Mapping[str, str]) -> Scrapes:
    """Return how targets with ``labels`` are scraped, the longest of each; of all targets, where none has them.

    Raises NoData: no target says how often it is scraped.
    """
    own = [one for one in scraped.targets if labels.items() <= one.labels.items()]
    known = [(interval, _seconds(one.scrapeTimeout)) for one in own or scraped.targets if (interval := _seconds(one.scrapeInterval))]
    if not known:
        raise NoData(f"{scraped.where} says of no target how often it is scraped; write scrape in the region's alerts")
    return Scrapes(max(interval for interval, _ in known), max(min(interval, given or interval) for interval, given in known))


def _data(heard: requests.Response, where: str, what: str, model: type[Data]) -> Data:
    """Return the data of an answer. Raises Unanswered: there are none, and who is at fault."""
    if said := blame.of_status(heard):
        raise Unanswered(f"{where}, asked for its {what}, {said}")
    try:
        body = _Body.model_validate_json(heard.content)
        if body.status == "success" and heard.ok:
            return model.model_validate(body.data or {})
    except ValidationError as error:
        raise Unanswered(
            f"{where}, asked for its {what}, answers HTTP {heard.status_code}: {blame.words_of(heard)}: {IN_ITS_PLACE}"
        ) from error
    raise Unanswered(f"{where}, asked for its {what}, answers HTTP {heard.status_code}: {body.error}; see its own logs")


def _rule(group: _Group, rule: _Rule, labels: Mapping[str, str]) -> Rule:
    return Rule(
        kind=rule.kind.lower(),
        group=group.name,
        name=rule.name,
        query=rule.query,
        for_s=rule.duration,
        evaluation_s=group.interval,
        health=rule.health,
        error=rule.lastError or "",
        alerts=tuple(_alerts(rule.alerts or (), labels)),
    )


def _alerts(alerts: tuple[_Alert, ...], labels: Mapping[str, str]) -> Iterator[Alert]:
    """Yield the alerts that wait or fire, without those of another cluster: a label of the region with another value."""
    for one in alerts:
        if any(one.labels.get(name, value) != value for name, value in labels.items()):
            continue
        active_ns = None if one.activeAt is None else round(one.activeAt.timestamp() * 1e9)
        if one.state.lower() == "firing":
            yield Alert("firing", one.labels, active_ns)
        elif one.state.lower() == "pending":
            yield Alert("pending", one.labels, active_ns)


def _seconds(written: str) -> float:
    """Return the seconds of a duration as Prometheus writes it; 0: it says none."""
    try:
        return parse_duration(written) if written else 0.0
    except ValueError:
        return 0.0
