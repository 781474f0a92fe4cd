"""``python -m safety.reaper``: the dead man's switch in the cluster. It outlives the suite and carries out what the journal still holds.

It acts when the run's leases are not renewed any more: the suite, its machine or its network is gone. It acts, too, when the run's
deadline has passed. It undoes API changes only. What ends by itself (a machine's power, a frozen process, a fault pod) is marked once its
time is over. Damaged data, signalled pods and replicas that were scaled away stay open for ``heal``: a standby beside the server restores
the first, replacing the second is an eviction, and the reaper has no rights in the platform's namespaces. What refused new pods stays open,
too: it ends by itself, and only ``heal`` can say that nothing of it is left.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import Protocol

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from history.clock import now_ns
from history.errors import AftershockError, UndoFailed
from kube.client import Platform, api_errors, clock_offset_s, platform_over
from kube.connection.bounded_client import BoundedClient
from safety.leases import list_leases
from safety.undo import undo_entry
from safety.undo_journal import REAPER, RunJournal, Undo, UndoKind, journal_name
from target.environment import target_of
from target.target import Target

POLL_S = 2.0
BY_API = frozenset(
    {UndoKind.UNCORDON, UndoKind.DELETE_CHAOS}
)  # what safety.reaper_job gives rights for; a fault pod ends by itself, below Kubernetes
BY_HEAL = frozenset({UndoKind.RESTORE_DATA, UndoKind.REPLACE_POD, UndoKind.RESCALE, UndoKind.DELETE_WEBHOOK, UndoKind.DELETE_QUOTA})
WATCHING = "reaper: watching"
CLOSED, HEALED = "the journal is closed", "everything is undone"
FOR_HEAL = (
    "all is undone but damaged data, signalled pods, replicas scaled away and what refused new pods; run make heal, or "
    "python -m runner heal --target FILE"
)


class Journal(Protocol):
    """The part of a run's journal that the reaper needs."""

    def entries(self) -> list[Undo]:
        """Return all entries; raises UndoFailed, caused by ApiException 404 once the journal is closed."""

    def undone(self, undo: Undo, by: str) -> None:
        """Record that an entry is undone, and by whom; raises UndoFailed."""


@dataclass(frozen=True, slots=True)
class Reaper:
    """One run's reaper. ``deadline_ns``: the run must be over by then, alive or not."""

    platform: Platform
    journal: Journal
    run_id: str
    deadline_ns: int

    def look(self) -> str:
        """Look once, act if it is time; return why there is nothing left to do, or nothing. Raises AftershockError: try again."""
        try:
            entries = self.journal.entries()
        except UndoFailed as error:
            if isinstance(error.__cause__, ApiException) and error.__cause__.status == 404:
                return CLOSED
            raise
        if not self._due():
            return ""
        failed = [text for entry in reversed(entries) if not entry.done and (text := self._undo(entry))]
        if failed:
            raise UndoFailed("; ".join(failed))
        left = [entry for entry in entries if not entry.done and entry.kind not in BY_API]
        if any(entry.ends_by_ns > now_ns() for entry in left):
            return ""
        return FOR_HEAL if any(entry.kind in BY_HEAL for entry in left) else HEALED

    def _due(self) -> bool:
        holders = [lease for lease in list_leases(self.platform) if lease.run_id == self.run_id]
        return now_ns() > self.deadline_ns or not any(lease.alive for lease in holders)

    def _undo(self, entry: Undo) -> str:
        """Undo one entry, or note that it ended by itself; return what went wrong."""
        try:
            if entry.kind in BY_API:
                print(undo_entry(self.platform, entry), flush=True)
            elif entry.kind in BY_HEAL or entry.ends_by_ns > now_ns():
                return ""
            self.journal.undone(entry, REAPER)
        except AftershockError as error:
            return str(error)
        return ""


def watch(reaper: Reaper) -> str:
    """Look every 2 s until there is nothing left to do; an API server that is away is asked again."""
    while True:
        try:
            if done := reaper.look():
                return done
        except AftershockError as error:
            print(error, file=sys.stderr, flush=True)
        time.sleep(POLL_S)


def reach(target: Target, api: client.ApiClient) -> Platform:
    """Return the platform once its API server answers; a container that ended instead would be started again later and later."""
    while True:
        try:
            with api_errors("reaper: reach the API server", UndoFailed):
                return platform_over(target, api, clock_offset_s(api))
        except UndoFailed as error:
            print(error, file=sys.stderr, flush=True)
        time.sleep(POLL_S)


def main() -> int:
    """Be the reaper that the Job's environment describes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # as process 1 it would ignore the signal
    made = client.Configuration()
    config.load_incluster_config(client_configuration=made)
    target = target_of(os.environ)
    platform = reach(target, BoundedClient(made))
    run_id = os.environ["AFTERSHOCK_RUN_ID"]
    journal = RunJournal(platform.config_maps, target.suite.namespace, journal_name(run_id))
    reaper = Reaper(platform, journal, run_id, int(os.environ["AFTERSHOCK_DEADLINE_NS"]))
    print(WATCHING, flush=True)
    print(f"reaper: {watch(reaper)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
