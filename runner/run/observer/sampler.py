"""Samples: what each replica says of itself, how many are ready, how long the queue is, how much each replica has served.

What replicas say is asked as :mod:`kube.health.serving` does, so that capacity counts what the hypothesis asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import urllib3
from kubernetes.client.exceptions import ApiException

from history.clock import now_ns
from history.errors import NoData
from history.schema import Series
from kube.client import Platform
from kube.controllers.wanted import wanted
from kube.health.serving import Asking, answers, askings_of, heard_of
from kube.health.ways import Way
from kube.objects import Pod
from probes.prometheus.answer import Unanswered
from probes.prometheus.gauge import Gauge, read
from runner.event_log import RunLog
from runner.instrument import Instrument
from runner.run.context import Observations
from runner.run.observer.host_cpu import HostCpu
from runner.run.observer.pod_watch import PodWatcher
from runner.run.observer.served import served

PERIOD_S = 0.5
BESIDE_TICKS = 4  # other roles than the workload's, and leases of nodes, are asked every two seconds, as is who must run a command
MACHINE_TICKS = 2  # the machine's account is read once a second
LEAST_S, MOST_S, OFTEN = 1.0, 5.0, 5  # the queue is asked for five times between two scrapes, each second at most
SAME_NS = 100_000_000  # two readings of one scrape are told apart by the clocks' noise alone
SERVED_TICKS = 10  # counters are read every 5 s (a share of the baseline needs two readings), and how many replicas are wanted
PARALLEL = 16
PROMETHEUS = "prometheus"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where samples come from."""

    platform: Platform
    role: str  # whose replicas' health is asked
    pods: Mapping[str, PodWatcher]
    up: Callable[[], bool]  # whether the API server answers
    queue: Gauge | None  # of requests that wait
    machine: HostCpu | None = None  # that suite and platform share
    beside: tuple[str, ...] = ()  # roles whose replicas are asked less often: they only count as capacity
    leases: bool = False  # whether to read the leases of nodes whose replicas nobody can ask


class Sampler(threading.Thread):
    """The thread that samples until ``halt`` is set."""

    def __init__(self, sources: Sources, log: RunLog, observations: Observations, halt: threading.Event) -> None:
        super().__init__(name="sampler", daemon=True)
        self._from, self._log, self._observations, self._halt = sources, log, observations, halt
        self._pending: dict[str, Future[None]] = {}
        self._prometheus = Instrument(log, PROMETHEUS, sources.queue.fresh_s if sources.queue else 0.0)
        self._queue_ns = now_ns()  # what was scraped before belongs to nobody's run
        every_s = sources.queue.every_s if sources.queue else 0.0
        self._queue_ticks = round(min(MOST_S, max(LEAST_S, every_s / OFTEN)) / PERIOD_S)

    def run(self) -> None:
        """Sample until stopped."""
        next_s, tick = time.monotonic(), 0
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="sample") as pool:
            while not self._halt.wait(max(0.0, next_s - time.monotonic())):
                next_s, tick = next_s + PERIOD_S, tick + 1
                for watcher in self._from.pods.values():
                    watcher.sample()
                self._look(pool, self._from.role, seldom=tick % BESIDE_TICKS == 0)
                for role in self._from.beside if tick % BESIDE_TICKS == 0 else ():
                    self._look(pool, role, seldom=True)
                if tick % self._queue_ticks == 0:
                    self._submit(pool, PROMETHEUS, self._queue)
                if tick % MACHINE_TICKS == 0:
                    self._machine()
                if tick % SERVED_TICKS == 0:
                    self._counters(pool)
                    self._desired(pool)

    def _desired(self, pool: ThreadPoolExecutor) -> None:
        """Ask how many replicas each lasting role should have: an autoscaler, or a person, may change that."""
        for name in (self._from.role, *self._from.beside) if self._from.up() else ():
            if not self._from.platform.target.role(name).of_run:
                self._submit(pool, f"{Series.DESIRED_REPLICAS}-{name}", partial(self._wanted, name))

    def _wanted(self, name: str) -> None:
        asked_ns = now_ns()
        with suppress(ApiException, urllib3.exceptions.HTTPError):  # nothing is sampled: the last number holds
            there = list(self._from.pods[name].pods.values())
            count = wanted(self._from.platform, self._from.platform.target.role(name), there)
            if count is not None:
                self._observations.desired[name] = count
                self._log.sample(Series.DESIRED_REPLICAS, float(count), t_ns=asked_ns, role=name)

    def _counters(self, pool: ThreadPoolExecutor) -> None:
        """Read how many requests each replica has served, where the role says by which counter."""
        role = self._from.platform.target.role(self._from.role)
        if role.served_metric is None or role.health is None or role.health.port is None or not self._from.up():
            return
        for uid, pod in list(self._from.pods[self._from.role].pods.items()):
            if pod.status.phase == "Running":
                self._submit(pool, f"{Series.SERVED}-{uid}", partial(self._served, pod, role.health.port, role.served_metric))

    def _served(self, pod: Pod, port: int, counter: str) -> None:
        with suppress(NoData):  # nothing is sampled, and the verdict says that nobody knows
            asked_ns = now_ns()
            self._log.sample(Series.SERVED, served(self._from.platform, pod, port, counter), t_ns=asked_ns, pod=pod.metadata.name)

    def _machine(self) -> None:
        for series, share in (self._from.machine.sample() if self._from.machine else {}).items():
            self._log.sample(series, share)

    def _submit(self, pool: ThreadPoolExecutor, key: str, ask: Callable[[], None]) -> None:
        """Ask, unless the last question of this kind is still open."""
        pending = self._pending.get(key)
        if pending is None or pending.done():
            self._pending[key] = pool.submit(ask)

    def _look(self, pool: ThreadPoolExecutor, role: str, *, seldom: bool) -> None:
        """Ask the running pods of ``role``; ``seldom``: it is time for what is not asked at every tick, commands and leases."""
        for uid, pod, asked in self._asked(role):
            if not asked and self._from.leases and seldom:
                self._submit(pool, uid, partial(self._heard, role, pod))
            elif asked and (seldom or all(one.way is not Way.EXEC for one in asked)):
                self._submit(pool, uid, partial(self._health, role, pod, asked))

    def _asked(self, role: str) -> list[tuple[str, Pod, tuple[Asking, ...]]]:
        """Return the running pods of ``role`` with their uid and what each is asked; none while the API server is away."""
        if not self._from.up():
            return []
        there = [(uid, pod) for uid, pod in list(self._from.pods[role].pods.items()) if pod.status.phase == "Running"]
        return [(uid, pod, askings_of(self._from.platform, role, pod)) for uid, pod in there]

    def _health(self, role: str, pod: Pod, asked: tuple[Asking, ...]) -> None:
        asked_ns = now_ns()
        answer = answers(self._from.platform, pod, asked)[-1]
        if answer.well is not None or self._from.up():  # no answer while the API server is away says nothing about the replica
            self._said(Series.HEALTH, role, pod, well=bool(answer.well), t_ns=asked_ns)

    def _heard(self, role: str, pod: Pod) -> None:
        asked_ns = now_ns()
        try:
            heard = heard_of(self._from.platform, pod)
        except (ApiException, urllib3.exceptions.HTTPError):
            return  # an API server that does not answer says nothing about a node
        if heard is not None:  # who may not read leases knows nothing of nodes
            self._said(Series.NODE_HEARD, role, pod, well=heard, t_ns=asked_ns)

    def _said(self, series: Series, role: str, pod: Pod, *, well: bool, t_ns: int) -> None:
        self._log.sample(series, float(well), t_ns=t_ns, pod=pod.metadata.name, role=role)
        (self._observations.ill.discard if well else self._observations.ill.add)(pod.metadata.name)

    def _queue(self) -> None:
        """Record the queue once for each scrape, at the time of the scrape."""
        if self._from.queue is None:
            return
        reading, down = None, ""
        try:
            reading = read(self._from.queue)
        except Unanswered as error:
            down = str(error)
        except NoData:
            pass  # no engine reports: nothing is sampled, and nothing is made up
        self._observations.queue = None if reading is None else reading.value
        if reading is not None and (at_ns := round(reading.at_s * 1e9)) > self._queue_ns + SAME_NS:
            self._queue_ns = at_ns
            self._log.sample(Series.QUEUE_DEPTH, reading.value, t_ns=at_ns)
        self._prometheus.heard(down)
