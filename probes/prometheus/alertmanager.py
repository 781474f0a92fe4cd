"""How long Alertmanager waits before it tells the suite's receiver: ``group_wait`` and ``group_interval`` of its routes.

The format: https://prometheus.io/docs/alerting/latest/configuration/#route, and ``/api/v2/status``, which answers the configuration's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import NamedTuple

import requests
import yaml
from pydantic import BaseModel, Field

from history.values import parse_duration
from probes.prometheus import blame
from probes.prometheus.answer import Unanswered
from probes.prometheus.client import TIMEOUT_S
from target.alerts import Receiver
from target.prometheus import Prometheus

DEFAULT_WAIT, DEFAULT_INTERVAL = "30s", "5m"  # Alertmanager's own, where no route says how long
INSTEAD = "write group_wait in place of alertmanager"


class Waits(NamedTuple):
    """How long Alertmanager waits at most before it tells of a new group, and before it tells of what joins one (s; None: not known)."""

    group_wait_s: float
    group_interval_s: float | None


class _Config(BaseModel):
    original: str


class _Status(BaseModel):
    config: _Config


class _Route(BaseModel):
    receiver: str | None = None
    group_wait: str | None = None
    group_interval: str | None = None
    routes: tuple[_Route, ...] | None = None


class _Routing(BaseModel):
    route: _Route = Field(default_factory=_Route)


def waits_of(receiver: Receiver) -> Waits:
    """Return how long Alertmanager waits at most before it tells ``receiver``: as written, else by its routes to it, the longest.

    Raises Unanswered: it does not answer, or has no route to the receiver; the sentence says what to do.
    """
    if receiver.group_wait is not None:
        return Waits(receiver.group_wait, receiver.group_interval)
    url = receiver.alertmanager or ""
    where = f"Alertmanager at {url}"
    routing = _routing(_asked(url, where), where)
    found = list(_routes(routing.route, _Route(receiver="", group_wait=DEFAULT_WAIT, group_interval=DEFAULT_INTERVAL)))
    own = [one for one in found if one.receiver == receiver.name]
    if not own:
        known = ", ".join(sorted({one.receiver for one in found if one.receiver})) or "none"
        raise Unanswered(
            f"{where} has no route to a receiver {receiver.name}; its routes lead to {known}; add one, or write its name in receiver"
        )
    return Waits(*(_longest([getattr(one, name) for one in own], name, where) for name in ("group_wait", "group_interval")))


def _longest(written: list[str], name: str, where: str) -> float:
    try:
        return max(parse_duration(one) for one in written)
    except ValueError as error:
        raise Unanswered(f"{where} has a {name} that is no duration ({error}); {INSTEAD}") from error


def _asked(url: str, where: str) -> requests.Response:
    try:
        heard = requests.get(f"{url.rstrip('/')}/api/v2/status", timeout=TIMEOUT_S, allow_redirects=False)
    except (requests.RequestException, OSError) as error:
        raise Unanswered(f"{where} {blame.of_error(error, Prometheus(url=url))}") from error
    if heard.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise Unanswered(f"{where} answers HTTP {heard.status_code}: it lets nobody in without a credential; {INSTEAD}")
    if said := blame.of_status(heard):
        raise Unanswered(f"{where} {said}")
    return heard


def _routing(heard: requests.Response, where: str) -> _Routing:
    """Return the routes of a configuration. Raises Unanswered: there is none in the answer."""
    try:
        return _Routing.model_validate(yaml.safe_load(_Status.model_validate_json(heard.content).config.original))
    except (ValueError, yaml.YAMLError) as error:
        answer = f"HTTP {heard.status_code}: {blame.words_of(heard)}"
        raise Unanswered(f"{where}, asked for its configuration, answers {answer}: that is none; correct its URL, or {INSTEAD}") from error


def _routes(route: _Route, above: _Route) -> Iterator[_Route]:
    """Yield each route; it has what it does not say from the one above."""
    said = route.model_dump(exclude={"routes"})
    own = _Route.model_validate({name: value or getattr(above, name) for name, value in said.items()})
    yield own
    for below in route.routes or ():
        yield from _routes(below, own)
