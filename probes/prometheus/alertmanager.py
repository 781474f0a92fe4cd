"""How long Alertmanager waits before it tells the suite's receiver of a new alert: ``group_wait`` of its routes.

The format: https://prometheus.io/docs/alerting/latest/configuration/#route, and ``/api/v2/status``, which answers the configuration's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import requests
import yaml
from pydantic import BaseModel, Field

from history.values import parse_duration
from probes.prometheus import blame
from probes.prometheus.answer import Unanswered
from probes.prometheus.client import TIMEOUT_S
from target.alerts import Receiver
from target.prometheus import Prometheus

DEFAULT = "30s"  # Alertmanager's own, where no route says how long
INSTEAD = "write group_wait in place of alertmanager"


class _Config(BaseModel):
    original: str


class _Status(BaseModel):
    config: _Config


class _Route(BaseModel):
    receiver: str | None = None
    group_wait: str | None = None
    routes: tuple[_Route, ...] | None = None


class _Routing(BaseModel):
    route: _Route = Field(default_factory=_Route)


def group_wait_s(receiver: Receiver) -> float:
    """Return how long Alertmanager waits at most before it tells ``receiver`` (s): as written, else by its routes to it, the longest.

    Raises Unanswered: it does not answer, or has no route to the receiver; the sentence says what to do.
    """
    if receiver.group_wait is not None:
        return receiver.group_wait
    url = receiver.alertmanager or ""
    where = f"Alertmanager at {url}"
    routing = _routing(_asked(url, where), where)
    found = list(_waits(routing.route, "", DEFAULT))
    own = [wait for name, wait in found if name == receiver.name]
    if not own:
        known = ", ".join(sorted({name for name, _ in found if name})) or "none"
        raise Unanswered(
            f"{where} has no route to a receiver {receiver.name}; its routes lead to {known}; add one, or write its name in receiver"
        )
    try:
        return max(parse_duration(wait) for wait in own)
    except ValueError as error:
        raise Unanswered(f"{where} has a group_wait that is no duration ({error}); {INSTEAD}") from error


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


def _waits(route: _Route, receiver: str, wait: str) -> Iterator[tuple[str, str]]:
    """Yield the receiver of each route with its ``group_wait``; a route has what it does not say from the one above."""
    name, own = route.receiver or receiver, route.group_wait or wait
    yield name, own
    for below in route.routes or ():
        yield from _waits(below, name, own)
