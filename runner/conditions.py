"""Stop conditions, looked at every second: anyone may stop a run by an annotation, and a run whose parent is gone stops itself."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from history.errors import TargetRefused
from kube.clients import Platform, told
from runner.stop import Stop

PERIOD_S = 1.0
ANNOTATION = "aftershock.dev/stop"


def parent_gone(parent: int) -> Callable[[], tuple[str, str] | None]:
    """Return a condition that is met once process ``parent`` is not our parent any more."""

    def met() -> tuple[str, str] | None:
        return None if os.getppid() == parent else ("parent", "the pytest process that started this run is gone")

    return met


def asked_by_annotation(platform: Platform) -> Callable[[], tuple[str, str] | None]:
    """Return a condition that is met once a namespace of the platform carries ``aftershock.dev/stop=true``."""

    def met() -> tuple[str, str] | None:
        for name in platform.target.namespaces:
            try:
                with told(f"read namespace {name}", TargetRefused):
                    namespace: Any = platform.core.read_namespace(name)
            except TargetRefused:
                return None  # the API server is away: nobody can ask
            if (namespace.metadata.annotations or {}).get(ANNOTATION) == "true":
                return "stop condition", f"namespace {name} carries {ANNOTATION}=true: somebody asked to stop"
        return None

    return met


class Conditions(threading.Thread):
    """Asks every condition once a second until one is met or the thread is halted."""

    def __init__(self, stop: Stop, conditions: list[Callable[[], tuple[str, str] | None]]) -> None:
        super().__init__(name="conditions", daemon=True)
        self._stop_request, self._conditions, self._halt = stop, conditions, threading.Event()

    def run(self) -> None:
        """Ask until stopped."""
        while not self._halt.wait(PERIOD_S):
            for condition in self._conditions:
                found = condition()
                if found is not None:
                    self._stop_request.ask(*found)
                    return

    def halt(self) -> None:
        """Ask no more."""
        self._halt.set()
