"""One worker process: locust's environment around one open-loop dispatcher, and the housekeeping beside it."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import locust
import locust.env
import locust.exception
import orjson
import polars as pl

from history.clock import now_ns
from history.errors import ConfigError
from history.schema import EventKind, Series
from workloads.load.alarm import new_alarm
from workloads.load.client import Client
from workloads.load.descriptors import make_room_for
from workloads.load.dispatcher import Arrival, Dispatcher
from workloads.load.inputs import LoadInputs
from workloads.load.recorder import Attempts, Recorder
from workloads.load.retries import policy_of

TICK_S = 0.1  # rows reach the kernel this often: a SIGKILL loses at most so much
SAMPLE_TICKS = 4  # in-flight and CPU samples
SWEEP_TICKS = 10  # idle connections and garbage
FEW = 200  # requests in flight; thousands of them make a collection tens of milliseconds long, and it can wait
LEAD_NS = 100_000_000  # from READY to the origin of the schedule
COLUMNS = ("request_id", "offset_ns", "stream", "prompt_id", "max_tokens")


class Worker:
    """Everything that one worker process holds."""

    def __init__(self, inputs: LoadInputs, number: int, *, drains: bool = True) -> None:
        self.drains = drains
        load, self.name = inputs.plan.requests.load, f"load-{number}"
        self.load, mine = load, inputs.schedule.filter(pl.col("worker") == number)
        self.scheduled = mine.height
        self.environment = locust.env.Environment(catch_exceptions=False)
        self.client = Client(load, inputs.plan.run_id, self.name, number)
        self.recorder = Recorder(inputs.run_dir, self.name, self.environment.events.request.fire, inputs.plan.requests.region)
        self.attempts = Attempts(self.client, self.recorder, max(1, load.in_flight_cap // load.workers))
        arrivals: Iterator[Arrival] = zip(*(mine[column].to_list() for column in COLUMNS), strict=True)
        self.dispatcher = Dispatcher(arrivals, inputs.prompts, self.attempts.begin, policy_of(load, self.attempts, number), new_alarm())
        self.client.meanwhile = self.dispatcher.catch_up
        self.stopped_by = "horizon"
        self.failure: OSError | None = None
        self.scheduling = "ordinary"
        self._cpu: deque[tuple[int, float]] = deque(maxlen=3)  # the last 0.8 s

    def stop(self, by: str, *, at_once: bool = False) -> None:
        """Send no new arrivals; ``by`` says who wants that. ``at_once``, or if it does not drain: cut off what is under way, too."""
        if self.dispatcher.stop_ns is None:
            self.stopped_by = by
        self.dispatcher.stop()
        if at_once or not self.drains:
            self.dispatcher.stop()

    def run(self, origin_ns: int, parent_pid: int) -> int:
        """Send the schedule from ``origin_ns`` on, drain, write the account; return the exit code."""
        housekeeping = gevent.spawn(self._housekeeping, parent_pid)
        try:
            self.recorder.log.event(EventKind.LOAD_START, self.name, t_ns=origin_ns, scheduled=self.scheduled, pid=os.getpid())
            self._dispatch(origin_ns)
            stop_ns = self.dispatcher.stop_ns or origin_ns + int(self.load.horizon_s * 1e9)
            self.recorder.log.event(EventKind.LOAD_STOP, self.name, t_ns=stop_ns, by=self.stopped_by)
            cut_off = self.dispatcher.drain(self._drain_s(origin_ns))
            housekeeping.kill()
            self._account_for(cut_off)
        except OSError as error:
            self.failure = self.failure or error
        if self.failure:
            print(f"load: the run folder cannot be written ({self.failure}); make room and run again in another folder", file=sys.stderr)
        return int(self.failure is not None)

    def _drain_s(self, origin_ns: int) -> float:
        """Return how long requests under way are waited for (s): until the last has timed out, or the horizon if it does not drain."""
        if self.drains:
            return self.load.timeout_s + 0.5
        return max(0.0, self.load.horizon_s - (now_ns() - origin_ns) / 1e9)

    def _dispatch(self, origin_ns: int) -> None:
        """Let locust run one user, whose one task is the dispatcher."""
        dispatcher, finished = self.dispatcher, gevent.event.AsyncResult()

        class OpenLoop(locust.User):
            """All users as one open loop."""

            fixed_count = 1

            @locust.task
            def send(self) -> None:
                """Send the whole schedule."""
                try:
                    dispatcher.run(origin_ns)
                except BaseException as error:
                    finished.set_exception(error)
                    raise
                finished.set()
                raise locust.exception.StopUser

        self.environment.user_classes = [OpenLoop]
        self.environment.create_local_runner().start(1, spawn_rate=1)
        finished.get()

    def _account_for(self, cut_off: int) -> None:
        stats = self.environment.stats.total
        self.recorder.flush()
        counts: dict[str, Any] = {
            **asdict(self.recorder.account),
            "scheduled": self.scheduled,
            "cut_off": cut_off,
            "stopped_by": self.stopped_by,
            "scheduling": self.scheduling,
            "cpu_wait_s": cpu_wait_s(),
            "connections": self.client.connections.opened,
            "locust": {"requests": stats.num_requests, "failures": stats.num_failures},
        }
        self.recorder.log.event(EventKind.LOAD_AUDIT, self.name, **counts)
        self.recorder.close()

    def _housekeeping(self, parent_pid: int) -> None:
        """Flush, sample and look after the parent, ten times a second."""
        tick = 0
        while True:
            gevent.sleep(TICK_S)
            tick += 1
            try:
                self.recorder.flush()
                if tick % SAMPLE_TICKS == 0:
                    self._sample()
            except OSError as error:
                self.failure = error
                self.stop("the run folder cannot be written")
                return
            if tick % SWEEP_TICKS == 0:
                self.client.connections.sweep()
                if self.attempts.in_flight <= FEW:
                    self._collect()
            if os.getppid() != parent_pid:
                self.stop("the parent process is gone", at_once=True)

    def _sample(self) -> None:
        account, log = self.recorder.account, self.recorder.log
        log.sample(Series.IN_FLIGHT, self.attempts.in_flight, worker=self.name)
        self._cpu.append((now_ns(), time.process_time()))
        (t0_ns, cpu0_s), (t1_ns, cpu1_s) = self._cpu[0], self._cpu[-1]
        if t1_ns > t0_ns:
            share = (cpu1_s - cpu0_s) * 1e9 / (t1_ns - t0_ns)
            account.cpu_share_max = max(account.cpu_share_max, share)
            log.sample(Series.LOAD_CPU, share, worker=self.name)

    def _collect(self) -> None:
        """Collect garbage at a time of our choosing; what was there at the start is frozen, so it takes well under a millisecond."""
        before = now_ns()
        gc.collect()
        self.recorder.account.gc_pause_max_ms = max(self.recorder.account.gc_pause_max_ms, (now_ns() - before) / 1e6)


def run_worker(inputs: LoadInputs, number: int | None, parent_pid: int, *, drains: bool = True) -> int:
    """Run worker ``number`` to its end, from the origin (ns UTC) that it reads from stdin; ``None``: the only one, with its own origin.

    Unless it ``drains``, its horizon and whoever stops it also cut off what is under way. Its own parent that is gone always does.
    """
    worker = Worker(inputs, number or 0, drains=drains)
    worker.client.connections.warm_up()
    make_room_for(worker.load.in_flight_cap // worker.load.workers)
    worker.scheduling = prefer_this_process()
    origin = None
    if number is not None:
        announce("WORKER_READY", worker=number)
        origin = read_origin()
    for name in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(name, worker.stop, name.name)
    if origin is None:
        origin = now_ns() + LEAD_NS
    announce("READY", origin_ns=origin, scheduled=worker.scheduled, workers=1, pids=[os.getpid()])
    return worker.run(origin, parent_pid)


def prefer_this_process() -> str:
    """Send on time: run first, if permitted, and collect no garbage at times of Python's choosing. Return the scheduling.

    Real-time and not ``nice``: with Linux' autogroups, niceness counts only among processes of one session, which the platform
    under test is not in. Measured beside busy neighbours at 5,000 requests/s: p99 send lag 0.8 ms instead of 1.4 to 17 ms. The
    kernel keeps 5 % of every core for the others, and the audit reports a generator that needs much of a core.

    A full collection walks every object of locust, polars and the schedule: tens of milliseconds in which nothing is sent. What
    exists now lives to the end, so it is frozen; what requests leave behind is collected once a second, and timed.
    """
    gevent.config.track_greenlet_tree = False  # who spawned whom, with its stack, kept for every request: nobody reads it
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, OSError):  # no such policy here, or not permitted
        return "ordinary"
    return "real-time"


def cpu_wait_s() -> float | None:
    """Return how long this process was ready to run and did not (s); ``None`` where Linux' schedstat is not to be had."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return None


def read_origin() -> int:
    """Read the common origin of all workers (ns UTC) from stdin; raises :class:`ConfigError` if the parent closed it without one."""
    line = sys.stdin.readline().strip()
    if not line.isdigit():
        raise ConfigError(f"worker: stdin said {line!r} instead of the origin in ns UTC; start workers by `run RUN_DIR`")
    return int(line)


def announce(event: str, **detail: object) -> None:
    """Print one JSON line for whoever started this process."""
    print(orjson.dumps({"event": event, **detail}).decode(), flush=True)
