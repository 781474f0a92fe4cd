"""A suite that is killed right after its fault acted: what it leaves is the journal in the cluster, and whatever the fault did."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

from safety.active_run import ActiveRun
from safety.undo_journal import ENTRIES, Undo, open_journal
from testing.platform.fake_cluster import FakeCluster
from testing.platform.fake_run import Journal
from testing.waiting import wait_for


class _FileJournal(Journal):
    """A journal that outlives its process."""

    def __init__(self, cluster: FakeCluster, file: Path) -> None:
        super().__init__(cluster)
        self._file = file

    def will_undo(self, undo: Undo) -> None:
        super().will_undo(undo)
        self._file.write_bytes(ENTRIES.dump_json(tuple(self.entries())))


def kill_after(run: ActiveRun, cluster: FakeCluster, inject: Callable[[], object], damaged: Callable[[], bool]) -> None:
    """Inject in a process of its own and kill it with SIGKILL as soon as ``damaged``; its journal stands in ``cluster`` then."""
    file = run.run_dir / "journal.of.the.killed"
    run.journal = _FileJournal(cluster, file)
    suite = get_context("fork").Process(target=_inject_and_stay, args=(inject,))
    suite.start()
    wait_for(damaged, "the damage")
    suite.kill()
    suite.join()
    journal = open_journal(run.platform, "run-1", "me@host:1", "storage/damage")
    for undo in ENTRIES.validate_json(file.read_bytes()):
        journal.will_undo(undo)


def _inject_and_stay(inject: Callable[[], object]) -> None:
    inject()
    signal.pause()


def kill_program(pid_file: Path) -> None:
    """Kill the process that ``pid_file`` names with SIGKILL."""
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
