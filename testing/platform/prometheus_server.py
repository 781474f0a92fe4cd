"""A server on loopback that speaks Prometheus' API: series as they were scraped, expressions with an answer by script, and foreign words.

It evaluates what the suite itself asks (a selector, a selector over a range, ``count by``); any other expression has the answer that a
script gave it, or none.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from target.region import Region
from testing.answering import answering
from testing.platform.fake_cluster import local_target

LOOK_BACK_S = 300
SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)?\{(?P<matchers>[^{}]*)\}(?:\[(?P<back_s>\d+)s\])?")
COUNT = re.compile(r"count by \((?P<by>[^)]*)\) \((?P<selector>.*)\)")
MATCHER = re.compile(r'(\w+)(=~|=)"((?:[^"\\]|\\.)*)"')
WAITING = "vllm:num_requests_waiting"
Labels = dict[str, str]
Point = tuple[float, str]


@dataclass
class Scraped:
    """A series: ``every_s`` between two scrapes, the newest ``age_s`` ago when this was made; ``times``: how many there were."""

    labels: Labels
    value: float = 0.0
    every_s: float = 1.0
    age_s: float = 0.2
    times: int = 1000
    ended: bool = False  # it is not scraped any more
    made_s: float = field(default_factory=time.time)

    def points(self, now_s: float, back_s: float) -> list[Point]:
        """Return the samples of the last ``back_s`` seconds."""
        newest_s = self.made_s - self.age_s
        since = 0 if self.ended else math.floor((now_s - newest_s) / self.every_s)
        times = [newest_s + i * self.every_s for i in range(1 - self.times, since + 1)]
        return [(t, f"{self.value:g}") for t in times if now_s - back_s < t <= now_s]


def waiting(value: float, pod: str = "inference-a", *, every_s: float = 1.0, **labels: str) -> Scraped:
    """Return vLLM's gauge of a pod as a PodMonitor brings it, with ``labels`` instead or besides (empty: without it)."""
    usual = {"namespace": "ml-serving", "pod": pod, "job": "vllm", "instance": f"{pod}:8000", "engine": "0", "model_name": "m"}
    named = {name: text for name, text in ({"__name__": WAITING} | usual | labels).items() if text}
    return Scraped(named, value, every_s, age_s=0.2 * every_s)


class PrometheusServer(ThreadingHTTPServer):
    """``series``, ``answers`` (expression -> data), ``warnings``: what it knows. ``wanted``: headers without which it answers 401.

    ``foreign``: status, headers and body with which something answers in its place.
    """

    def __init__(self) -> None:
        self.series: list[Scraped] = []
        self.answers: dict[str, dict[str, Any] | Callable[[], dict[str, Any]]] = {}
        self.warnings: list[str] = []
        self.wanted: dict[str, str] = {}
        self.rules: list[dict[str, Any]] | None = []  # groups; None: it has no rules API
        self.targets: list[dict[str, Any]] = [{"labels": {"namespace": "ml-serving"}, "scrapeInterval": "1s"}]
        self.foreign: tuple[int, dict[str, str], bytes] | None = None
        self.queries: list[str] = []
        self.paths: list[str] = []
        self.asked: list[dict[str, list[str]]] = []  # parameters of each question
        self.ahead_s = 0.0  # of this machine's clock
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def say(self, body: bytes | str | object, status: int = 200, **headers: str) -> None:
        """Let something answer in its place from now on."""
        whole = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.foreign = (status, headers, whole)

    def answer(self, promql: str) -> dict[str, Any]:
        """Return the data of an answer."""
        now_s = time.time() + self.ahead_s
        if promql == "vector(1)":
            return vector((1.0, {}), at_s=now_s)
        if promql in self.answers:
            found = self.answers[promql]
            return found() if callable(found) else found
        if counted := COUNT.fullmatch(promql):
            by = [name.strip() for name in counted["by"].split(",")]
            there = {tuple((n, one.labels[n]) for n in by if one.labels.get(n)) for one, _ in self._selected(counted["selector"], now_s)}
            return vector(*((1.0, dict(labels)) for labels in sorted(there)), at_s=now_s)
        return self._series(promql, now_s)

    def _series(self, selector: str, now_s: float) -> dict[str, Any]:
        found = self._selected(selector, now_s)
        if selector.endswith("]"):
            return {"resultType": "matrix", "result": [{"metric": one.labels, "values": points} for one, points in found]}
        return {"resultType": "vector", "result": [{"metric": one.labels, "value": [now_s, points[-1][1]]} for one, points in found]}

    def _selected(self, selector: str, now_s: float) -> list[tuple[Scraped, list[Point]]]:
        asked = SELECTOR.fullmatch(selector)
        if asked is None:
            return []
        matchers = MATCHER.findall(asked["matchers"]) + ([("__name__", "=", asked["name"])] if asked["name"] else [])
        back_s = float(asked["back_s"] or LOOK_BACK_S)
        chosen = [one for one in self.series if all(_matches(one.labels, *matcher) for matcher in matchers)]
        shift_s = self.ahead_s
        sampled = [(one, [(t + shift_s, value) for t, value in one.points(now_s - shift_s, back_s)]) for one in chosen]
        return [(one, points) for one, points in sampled if points]


def region_of(server: PrometheusServer, **declared: Any) -> Region:
    """Return the embedded platform's region with this Prometheus, declared so besides."""
    return local_target(prometheus={"url": server.url} | declared).only_region()


def vector(*found: tuple[float, Labels], at_s: float | None = None) -> dict[str, Any]:
    """Return the data of a vector."""
    now_s = time.time() if at_s is None else at_s
    return {"resultType": "vector", "result": [{"metric": labels, "value": [now_s, f"{value:g}"]} for value, labels in found]}


def scalar(value: float) -> dict[str, Any]:
    """Return the data of a scalar."""
    return {"resultType": "scalar", "result": [time.time(), f"{value:g}"]}


def _matches(labels: Labels, name: str, how: str, written: str) -> bool:
    wanted, value = re.sub(r"\\(.)", r"\1", written), labels.get(name, "")
    return bool(re.fullmatch(wanted, value)) if how == "=~" else value == wanted


class _Handler(BaseHTTPRequestHandler):
    server: PrometheusServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.server.paths.append(parts.path)
        self.server.asked.append(parse_qs(parts.query))
        asked = parse_qs(parts.query).get("query", [""])[0]
        self.server.queries.append(asked)
        if any(self.headers.get(name) != value for name, value in self.server.wanted.items()):
            self._send(401, {"Content-Type": "text/plain"}, b"no org id")
        elif self.server.foreign is not None:
            self._send(*self.server.foreign)
        elif (data := self._data(parts.path, asked)) is None:
            self._send(404, {"Content-Type": "text/plain"}, b"404 page not found")
        else:
            body = {"status": "success", "data": data, "warnings": self.server.warnings}
            self._send(200, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _data(self, path: str, asked: str) -> dict[str, Any] | None:
        """Return the data of an answer; None: there is no such path."""
        if path.endswith("/api/v1/rules"):
            return None if self.server.rules is None else {"groups": self.server.rules}
        if path.endswith("/api/v1/targets"):
            return {"activeTargets": self.server.targets, "droppedTargets": []}
        return self.server.answer(asked) if path.endswith("/api/v1/query") else None

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def prometheus_server(*series: Scraped) -> Iterator[PrometheusServer]:
    """Serve for the length of the block."""
    server = PrometheusServer()
    server.series = list(series)
    with answering(server):
        yield server
