"""Taking leases: refused at once while another run holds them, or queued behind it for as long as the user allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from history.errors import FaultFailed, TargetRefused
from history.plan import NAMESPACE, ResolvedTarget
from kube import control_plane
from kube.client import Platform
from runner.messages import Kind, Send
from runner.stop import Stop
from safety.fault_spec import FaultSpec
from safety.leases import CONTROL_PLANE, Leases, leases_of, list_leases, names_for
from safety.undo_journal import UndoKind

POLL_S = 2.0


class Queue:
    """The leases of one run; ``wait_s`` is how long it may queue in all. A lost lease stops the run."""

    def __init__(self, platform: Platform, run_id: str, wait_s: float, stop: Stop, send: Send) -> None:
        self._make = partial(leases_of, platform, run_id, partial(stop.ask, "lease"))
        self._refuse_company = partial(refuse_company, platform, run_id)
        self._until_s = time.monotonic() + wait_s
        self._stop, self._send = stop, send
        self._held: list[Leases] = []
        self._names: set[str] = set()

    def take(self, targets: Sequence[ResolvedTarget]) -> None:
        """Take what ``targets`` need beyond what is held, and keep it renewed. Raises TargetRefused: a live run holds one of them."""
        names = [name for name in names_for(targets) if name not in self._names]
        if names:
            self._patiently(partial(self._take, names))

    def wait_until_alone(self) -> None:
        """Wait until no other run is at work on the cluster. Raises TargetRefused: one still is."""
        self._patiently(partial(self._refuse_company, alone=True))

    def demand_alone(self) -> None:
        """Demand, without waiting, that no other run is at work on the cluster. Raises FaultFailed: one is, or nobody can tell."""
        try:
            self._refuse_company(alone=True)
        except TargetRefused as error:
            raise FaultFailed(f"{error}; nothing was injected") from error

    def _take(self, names: Sequence[str]) -> None:
        """Take ``names``. A run that holds leases already goes on: one that wants the control plane waits for it."""
        if not self._held:
            self._refuse_company(alone=False)
        leases = self._make()
        leases.acquire(names)
        leases.start()
        self._held.append(leases)
        self._names |= set(names)

    def _patiently(self, attempt: Callable[[], None]) -> None:
        """Try until it is not refused, for as long as the user allows; say once what is waited for."""
        said = False
        while True:
            try:
                return attempt()
            except TargetRefused as error:
                if time.monotonic() >= self._until_s:
                    raise
                if not said:
                    self._send(Kind.NOTE, text=f"waiting: {error}")
                    said = True
            self._stop.wait(POLL_S)

    def expect_absence(self, for_s: float) -> None:
        """Let what is held outlast ``for_s`` seconds in which the API server is away. Raises FaultFailed."""
        for leases in self._held:
            leases.expect_absence(for_s)

    def release(self) -> None:
        """Give everything back."""
        for leases in self._held:
            leases.release()
        self._held.clear()


def refuse_company(platform: Platform, run_id: str, *, alone: bool) -> None:
    """Refuse to go on beside a run that holds the control plane; ``alone``: beside any other run at all, for it would be hit as well.

    Raises TargetRefused, with the runs.
    """
    others = [lease for lease in list_leases(platform) if lease.alive and lease.run_id != run_id]
    at_work = ", ".join(sorted({lease.run_id for lease in others}))
    if alone and others:
        raise TargetRefused(
            f"run {at_work} is at work on this cluster; a fault on its control plane would hit that run, too, and nothing else may run "
            "beside it; wait for it to end"
        )
    holders = ", ".join(sorted({lease.run_id for lease in others if lease.name == CONTROL_PLANE}))
    if holders:
        raise TargetRefused(
            f"lease {CONTROL_PLANE}: held by the run {holders}, whose fault on the control plane hits whatever runs on this cluster; "
            "wait for that run to end"
        )


def control_plane_of(actions: Iterable[FaultSpec]) -> list[ResolvedTarget]:
    """Return the control plane as something to hold a lease on, if one of the faults acts on it."""
    hit = any(UndoKind.START_CONTROL_PLANE in spec.undo for spec in actions)
    return [ResolvedTarget(kind=control_plane.KIND, name="control-plane")] if hit else []


def of_all(targets: Iterable[ResolvedTarget]) -> bool:
    """Tell whether everybody on the cluster is hit with ``targets``: then no other run may be at work there."""
    return any(target.kind == control_plane.KIND for target in targets)


def namespace_of(name: str) -> ResolvedTarget:
    """Return a namespace as something to hold a lease on: the load alone already touches it."""
    return ResolvedTarget(kind=NAMESPACE, name=name, namespace=name)
