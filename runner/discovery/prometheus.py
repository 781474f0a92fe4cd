"""Which Prometheus there is, how it is reached, and what it has: asked at its URL as the suite would, else through its Service."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import requests
import urllib3

from history.errors import NoData
from kube import proxy
from probes.prometheus.answer import Labels, answer_of
from probes.prometheus.client import ask
from probes.prometheus.series import NAMESPACES, PODS
from runner.discovery.reader import Gap, Reader
from runner.discovery.routes import Routes, name, namespace, spec
from runner.discovery.series import CLUSTER_LABELS, Whose, whose
from runner.discovery.signs import Match
from runner.discovery.ways_in import Way, port_of, ways_in
from runner.discovery.workloads import Workload
from target import engines
from target.prometheus import Prometheus
from target.region import Region
from target.secrets.credentials import USERINFO

MOST = 4  # Prometheuses that are asked
TOO_SLOW = (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)
BY = ", ".join(dict.fromkeys(("__name__", *NAMESPACES, *PODS, "instance", *CLUSTER_LABELS)))
GAUGES = "|".join(name for gauge in engines.GAUGES for name in engines.names(gauge))
ENGINES = f'count by ({BY}) ({{__name__=~"{GAUGES}"}})'
SCRAPED = f"count by ({BY}) (up)"
LATELY = f"count by ({BY}) (last_over_time(up[5m]))"
ONE = "vector(1)"
TRIES = 3  # a busy one may miss a time limit; discovery runs once, and a person waits for it


@dataclass(frozen=True, slots=True)
class Found:
    """A Prometheus. ``url``: at which it answered from here (empty: at none); ``ways``: where it may be reached.

    ``engines``: whose gauges of engines it has; ``scraped``: whose series at all, looked at if it has none of engines here. ``errors``:
    why it did not answer, in sentences.
    """

    workload: Workload
    match: Match
    ways: tuple[Way, ...]
    url: str = ""
    answered: bool = False
    engines: Whose = field(default_factory=Whose)
    scraped: Whose = field(default_factory=Whose)
    errors: tuple[str, ...] = ()

    @property
    def of_here(self) -> bool:
        """Whether it has series of pods that were read."""
        return bool(self.engines.by_workload or self.scraped.by_workload)

    @property
    def of_elsewhere(self) -> bool:
        """Whether it has series of pods, and none of them was read."""
        return not self.of_here and bool(self.engines.foreign or self.scraped.foreign)


def find_prometheus(reader: Reader, routes: Routes, known: Sequence[tuple[Workload, Match]], workloads: Iterable[Workload]) -> list[Found]:
    """Return the Prometheuses among the workloads, the most useful first: of this cluster, with gauges of engines, reached from here."""
    every = list(workloads)
    found = [_look(reader, routes, workload, match, every) for workload, match in known[:MOST]]
    return sorted(found, key=lambda one: (not one.engines.by_workload, not one.of_here, not one.url, not one.answered))


def _look(reader: Reader, routes: Routes, workload: Workload, match: Match, every: Sequence[Workload]) -> Found:
    path = match.known.path
    ways = tuple(way._replace(url=way.url + path) for way in ways_in(routes, workload, match.known.port))
    ways = (*_by_operator(reader, workload), *ways)
    asked, url, errors = _asker(reader, routes, workload, match, ways)
    found = Found(workload, match, ways, url, errors=tuple(errors))
    if asked is None:
        return found
    try:
        of_engines = whose(patiently(asked, ENGINES), every)
        scraped = _scraped(asked, every) if not of_engines.by_workload else Whose()
    except NoData as error:
        return Found(workload, match, ways, url, errors=(*errors, str(error)))
    return Found(workload, match, ways, url, answered=True, engines=of_engines, scraped=scraped, errors=tuple(errors))


def _scraped(asked: _Asker, every: Sequence[Workload]) -> Whose:
    """Return whose series there are; of one that scrapes nobody right now, whose there were: no pod may be ready for a moment."""
    now = whose(patiently(asked, SCRAPED), every)
    return now if now.by_workload or now.foreign else whose(patiently(asked, LATELY), every)


def _by_operator(reader: Reader, workload: Workload) -> Iterator[Way]:
    """Yield the URL that the operator's own object says."""
    made_by = workload.labels.get("operator.prometheus.io/name")
    for one in reader.listed(reader.served("monitoring.coreos.com", "prometheuses", "Prometheus")):
        url = str(spec(one).get("externalUrl") or "")
        if (namespace(one), name(one)) == (workload.namespace, made_by) and url.startswith("http") and not USERINFO.search(url):
            yield Way(url, f"externalUrl of the operator's Prometheus {name(one)}")


class _Asker:
    """Asks one Prometheus: at a URL, or through its Service."""

    def __init__(self, reader: Reader, region: Region | None, service: str, where: str, path: str) -> None:
        self._reader, self._region, self._service, self._where, self._path = reader, region, service, where, path

    def __call__(self, promql: str) -> list[Labels]:
        """Return the labels of what is answered. Raises NoData."""
        if self._region is not None:
            return [one.labels for one in ask(self._region, promql).series]
        body = proxy.get(self._reader.platform, self._where, self._service, f"{self._path}/api/v1/query", query=promql)
        if body is None:
            raise NoData(f"service {self._where}/{self._service}: its API is not at {self._path}/api/v1")
        heard = requests.Response()
        heard.status_code, heard.raw = HTTPStatus.OK, io.BytesIO(body)
        return [one.labels for one in answer_of(heard, f"service {self._where}/{self._service}", promql).series]


def _asker(reader: Reader, routes: Routes, workload: Workload, match: Match, ways: Sequence[Way]) -> tuple[_Asker | None, str, list[str]]:
    """Return who asks, at which URL (empty: through the Service), and why others did not answer."""
    errors: list[str] = []
    for way in ways:
        if not way.inside:
            region = reader.platform.region.model_copy(update={"prometheus": Prometheus(url=way.url)})
            if _answers(made := _Asker(reader, region, "", "", ""), errors):
                return made, way.url, errors
    for service in routes.services_of(workload):
        port = port_of(service, workload, match.known.port)
        made = _Asker(reader, None, f"{name(service)}:{port}", workload.namespace, match.known.path)
        if port and _answers(made, errors):
            return made, "", errors
        if any(" 403 " in said for said in errors):
            gap = Gap("get", "services/proxy", "", workload.namespace, forbidden=True, said=errors[-1])
            reader.gaps.append(gap)
    return None, "", errors


def _answers(asker: _Asker, errors: list[str]) -> bool:
    try:
        return bool(patiently(asker, ONE))
    except NoData as error:
        errors.append(str(error))
        return False


def patiently(asker: Callable[[str], list[Labels]], promql: str) -> list[Labels]:
    """Return the labels of what is answered; one that was reached but was too slow is asked again. Raises NoData."""
    for _ in range(TRIES - 1):
        try:
            return asker(promql)
        except NoData as error:
            cause = error.__cause__
            if not isinstance(getattr(cause, "reason", cause), TOO_SLOW):
                raise
    return asker(promql)
