"""Stop conditions, looked at every second: an annotation on a namespace, a parent that is gone, a phase that hangs."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import urllib3
from kubernetes.client.exceptions import ApiException

from history.plan import Phase
from kube.client import Platform
from runner.drivers.requests.load import READY_S
from runner.event_log import RunLog
from runner.run.context import Context
from runner.run.phases.baseline import TRIES, longest_s
from runner.stop import Condition, Stop

PERIOD_S = 1.0
HANGS_S = 60.0
"""Longer than its plan by this, a phase hangs: chaoslib enforces no time limit on Python activities."""
ANNOTATION = "aftershock.dev/stop"
GUARD = "guard"
GONE = "namespace {} is gone or being deleted; it was there in preflight; find out who deletes it, then deploy the platform again"


def parent_gone(parent: int) -> Condition:
    """Return a condition that is met once process ``parent`` is not our parent any more."""

    def met() -> tuple[str, str] | None:
        return None if os.getppid() == parent else ("parent", "the pytest process that started this run is gone")

    return met


def record_lost(log: RunLog) -> Condition:
    """Return a condition that is met once the run's own record cannot be written: its disk is full, say."""
    return lambda: ("record", f"the run's record cannot be written any more: {log.lost}") if log.lost else None


def asked_by_annotation(platform: Platform) -> Condition:
    """Return a condition that is met once a namespace of the platform carries ``aftershock.dev/stop=true``, or vanishes."""
    there: set[str] = set()

    def met() -> tuple[str, str] | None:
        for name in platform.region.namespaces:
            try:
                namespace: Any = platform.core.read_namespace(name)
            except ApiException as error:
                if error.status == 404 and name in there:
                    return "stop condition", GONE.format(name)
                continue  # it never was there, or may not be read
            except urllib3.exceptions.HTTPError:
                return None  # the API server is away: nobody can ask
            if namespace.metadata.deletion_timestamp is not None:
                return "stop condition", GONE.format(name)
            there.add(name)
            if (namespace.metadata.annotations or {}).get(ANNOTATION) == "true":
                return "stop condition", f"namespace {name} carries {ANNOTATION}=true: somebody asked to stop"
        return None

    return met


def overdue(context: Context) -> Condition:
    """Return a condition that is met once a phase before healing lasts a minute longer than its plan: a probe or an action hangs."""
    timers = context.run.plan.timers
    limits_s = {
        Phase.BASELINE: READY_S + TRIES * longest_s(timers),
        Phase.INJECT: timers.heal_s + timers.fault_s + pauses_s(context.experiment.raw),
        Phase.CONFIRM: timers.confirm_s,
        Phase.OBSERVE: timers.deadline_s,
    }

    def met() -> tuple[str, str] | None:
        phase, lasted_s = context.phase, context.elapsed_s
        if phase not in limits_s or lasted_s <= limits_s[phase] + HANGS_S:
            return None
        said = f"phase {phase.value} has lasted {lasted_s:.0f} s, the plan allows {limits_s[phase]:.0f} s: a probe or an action hangs"
        return "time limit", said

    return met


def pauses_s(experiment: dict[str, Any]) -> float:
    """Return how long the method waits by its own pauses (s)."""
    pauses = [action.get("pauses", {}) for action in experiment["method"]]
    return float(sum(pause.get("before", 0) + pause.get("after", 0) for pause in pauses))


def _ended(condition: Condition, error: BaseException) -> str:
    name = getattr(condition, "__qualname__", type(condition).__name__).removesuffix(".<locals>.met")
    return f"the guard {name} ended by {type(error).__name__}: {error}; whether it is met cannot be known; see child.log"


class Conditions(threading.Thread):
    """Asks every condition once a second until one is met or the thread is halted."""

    def __init__(self, stop: Stop, conditions: list[Condition]) -> None:
        super().__init__(name="conditions", daemon=True)
        self._stop_request, self._conditions, self._halt = stop, conditions, threading.Event()

    def run(self) -> None:
        """Ask until stopped; each condition in a thread of its own, so that a slow answer to one delays no other."""
        threads = [threading.Thread(target=self._ask, args=(condition,), name="condition", daemon=True) for condition in self._conditions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask(self, condition: Condition) -> None:
        """Ask one condition until one is met. An error in it ends its thread, and nobody would look any more: so it stops the run."""
        try:
            while not self._halt.wait(PERIOD_S):
                request = condition()
                if request is not None:
                    self._halt.set()
                    self._stop_request.ask(*request)
                    return
        finally:
            if (error := sys.exception()) is not None and not self._halt.is_set():
                self._halt.set()
                self._stop_request.ask(GUARD, _ended(condition, error))

    def halt(self) -> None:
        """Ask no more."""
        self._halt.set()
