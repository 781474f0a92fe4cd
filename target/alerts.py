"""Which rules of a region's Prometheus must tell of which failures, as people write it: ``alerts`` of a region."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from history.values import Seconds, Written
from target.mistakes import Refusal
from target.prometheus import ServerUrl
from target.yaml_source import Keys

if TYPE_CHECKING:
    from target.target import Target


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _with_a_port(listen: str) -> str:
    if not 0 < int(listen.rpartition(":")[2]) < 1 << 16:
        raise ValueError("its port is none: HOST:PORT is meant, such as 127.0.0.1:9094")
    return listen


Roles = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class AlertRule(Written):
    """One alerting rule, and whose failure it is to tell of."""

    rule: str = Field(min_length=1)  # the name of the alert
    roles: Roles  # one, or several: whose failure it is meant for; where none of them was hit, it may not fire
    group: str | None = Field(default=None, min_length=1)  # only where several groups have a rule of this name
    workload: str | None = None  # the class whose users' harm counts; left out: the one that these roles serve
    within: Seconds | None = Field(default=None, gt=0)  # how soon after users' harm began it must tell; left out: as its own timers allow


class Receiver(Written):
    """Where the suite listens for Alertmanager's notifications for the time of a run."""

    listen: Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):[0-9]{1,5}$"), AfterValidator(_with_a_port)]  # HOST:PORT
    name: str = Field(default="aftershock", min_length=1)  # what Alertmanager's configuration calls it
    group_wait: Seconds | None = Field(default=None, ge=0)  # how long Alertmanager waits before it tells of a new group
    group_interval: Seconds | None = Field(default=None, ge=0)  # before it tells of what joins a group or fires again; beside group_wait
    alertmanager: ServerUrl | None = None  # is asked for both instead

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        """Refuse a receiver of which it is not known how long Alertmanager waits, or is said twice."""
        if (self.group_wait is None) == (self.alertmanager is None):
            raise ValueError("write group_wait, or the URL of the alertmanager that is asked for it: one of them")
        if self.group_interval is not None and self.alertmanager is not None:
            raise ValueError("alertmanager is asked for group_interval, too; leave one of them out")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Its host and its port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def family(self) -> socket.AddressFamily:
        """Which kind of address that is."""
        return socket.AF_INET6 if self.listen.startswith("[") else socket.AF_INET


class Alerts(Written):
    """The rules that are judged; a plain list is the rules alone."""

    rules: tuple[AlertRule, ...] = Field(min_length=1)
    silence: bool = False  # whether others than the judged rules are silenced in Alertmanager for as long as a run may last
    receiver: Receiver | None = None  # left out: a rule tells by firing, and nobody asks whom Alertmanager tells
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
        if region.alerts.silence:
            yield from _silence(target, name, region.alerts, region.prometheus.labels if region.prometheus else {})
        yield from _twice(("regions", name, "alerts"), region.alerts)
        for number, rule in enumerate(region.alerts.rules):
            yield from _of_rule(target, ("regions", name, "alerts", "rules", number), rule)


def _silence(target: Target, region: str, alerts: Alerts, labels: dict[str, str]) -> Iterator[Refusal]:
    at: Keys = ("regions", region, "alerts", "silence")
    if alerts.receiver is None or alerts.receiver.alertmanager is None:
        yield at, "it is made in Alertmanager; write its URL as alertmanager of receiver, or leave silence out"
    for name, role in target.roles.items():
        if not any((labels | role.series_labels).values()):  # one that is empty fits whatever has not got the label
            yield at, f"of role {name} no label is known, so a silence would cover everybody's alerts; write labels of its metrics"


def _twice(at: Keys, alerts: Alerts) -> Iterator[Refusal]:
    known = Counter((rule.rule, rule.group) for rule in alerts.rules)
    names = Counter(rule.rule for rule in alerts.rules)
    groupless = {name for name, group in known if group is None}
    for number, rule in enumerate(alerts.rules):
        if alerts.receiver is not None and names[rule.rule] > 1:
            yield (
                (*at, "rules", number),
                f"{rule.rule!r} is there twice; no notification says its group: leave receiver out, or one of them",
            )
        elif known[rule.rule, rule.group] > 1 or (rule.group is not None and rule.rule in groupless):
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
