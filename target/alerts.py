"""Which rules of a region's Prometheus must tell of which failures, as people write it: ``alerts`` of a region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from history.values import Seconds, Written
from target.mistakes import Refusal
from target.yaml_source import Keys

if TYPE_CHECKING:
    from target.target import Target


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Roles = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class AlertRule(Written):
    """One alerting rule, and whose failure it is to tell of."""

    rule: str = Field(min_length=1)  # the name of the alert
    roles: Roles  # one, or several: whose failure it is meant for; where none of them was hit, it may not fire
    group: str | None = Field(default=None, min_length=1)  # only where several groups have a rule of this name
    workload: str | None = None  # the class whose users' harm counts; left out: the one that these roles serve
    within: Seconds | None = Field(default=None, gt=0)  # how soon after users' harm began it must tell; left out: as its own timers allow


class Alerts(Written):
    """The rules that are judged; a plain list is the rules alone."""

    rules: tuple[AlertRule, ...] = Field(min_length=1)
    scrape: Seconds | None = Field(default=None, gt=0)  # between two scrapes; left out: as Prometheus says of its targets

    @model_validator(mode="before")
    @classmethod
    def _of_a_list(cls, data: Any) -> Any:  # noqa: ANN401 - what a file says
        return {"rules": data} if isinstance(data, list | tuple) else data


def classes_of(target: Target, rule: AlertRule) -> tuple[str, ...]:
    """Return the classes of workload whose users' harm counts for ``rule``: the one that it names, or those that its roles serve."""
    if rule.workload is not None:
        return (rule.workload,)
    return tuple(name for name, workload in target.workloads.items() if workload.role in rule.roles)


def alert_refusals(target: Target) -> Iterator[Refusal]:
    """Yield what is wrong with the alerts of each region: its keys, and a sentence."""
    for name, region in target.regions.items():
        if region.alerts is None:
            continue
        if region.prometheus is None:
            yield ("regions", name, "alerts"), "its rules are Prometheus'; write prometheus of this region, or leave alerts out"
        yield from _twice(("regions", name, "alerts"), region.alerts)
        for number, rule in enumerate(region.alerts.rules):
            yield from _of_rule(target, ("regions", name, "alerts", "rules", number), rule)


def _twice(at: Keys, alerts: Alerts) -> Iterator[Refusal]:
    known = Counter((rule.rule, rule.group) for rule in alerts.rules)
    groupless = {name for name, group in known if group is None}
    for number, rule in enumerate(alerts.rules):
        if known[rule.rule, rule.group] > 1 or (rule.group is not None and rule.rule in groupless):
            yield (*at, "rules", number), f"{rule.rule!r} is there twice; name all its roles in one entry, or tell two rules apart by group"


def _of_rule(target: Target, at: Keys, rule: AlertRule) -> Iterator[Refusal]:
    for number, role in enumerate(rule.roles):
        if role not in target.roles:
            yield (*at, "roles", number), f"{role!r} is not under roles"
    if rule.workload is not None and rule.workload not in target.workloads:
        yield (*at, "workload"), f"{rule.workload!r} is not under workloads"
    found = classes_of(target, rule)
    if len(found) != 1:
        said = f"these roles serve {', '.join(found)}" if found else "these roles serve no class of workload"
        yield at, f"{said}, so it is not known whose users' harm counts; write workload"
