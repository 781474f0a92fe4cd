"""Taking leases: refused at once while another run holds them, or queued behind it for as long as the user allows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform
from runner.messages import Kind, Send
from runner.stop import Stop
from safety.leases import Leases, leases_of, names_for

POLL_S = 2.0


class Queue:
    """The leases of one run; ``wait_s`` is how long it may queue in all. A lost lease stops the run."""

    def __init__(self, platform: Platform, run_id: str, wait_s: float, stop: Stop, send: Send) -> None:
        self._make = partial(leases_of, platform, run_id, partial(stop.ask, "lease"))
        self._until_s = time.monotonic() + wait_s
        self._stop, self._send = stop, send
        self._held: list[Leases] = []
        self._names: set[str] = set()

    def take(self, targets: Sequence[ResolvedTarget]) -> None:
        """Take what ``targets`` need beyond what is held, and keep it renewed. Raises TargetRefused: a live run holds one of them."""
        names = [name for name in names_for(targets) if name not in self._names]
        said = False
        while names:
            leases = self._make()
            try:
                leases.acquire(names)
            except TargetRefused as error:
                if time.monotonic() >= self._until_s:
                    raise
                if not said:
                    self._send(Kind.NOTE, text=f"waiting: {error}")
                    said = True
                self._stop.wait(POLL_S)
                continue
            leases.start()
            self._held.append(leases)
            self._names |= set(names)
            return

    def release(self) -> None:
        """Give everything back."""
        for leases in self._held:
            leases.release()
        self._held.clear()


def namespace_of(name: str) -> ResolvedTarget:
    """Return a namespace as something to hold a lease on: the load alone already touches it."""
    return ResolvedTarget(kind="Namespace", name=name, namespace=name)
