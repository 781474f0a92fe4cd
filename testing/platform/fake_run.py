"""A live run on the fake cluster, with a journal in memory."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from history.plan import Plan, ResolvedTarget
from history.writer import EventLog
from safety import active_run
from safety.active_run import ActiveRun
from safety.undo_journal import RUN, Undo
from target.target import Target
from testing.platform.fake_cluster import FakeCluster


class Journal:
    """An undo journal in memory that also notes when it was written, among the cluster's calls."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster, self._entries = cluster, list[Undo]()

    def will_undo(self, undo: Undo) -> None:
        self._cluster.calls.append(f"write ahead {undo.kind} {undo.object}")
        self._entries.append(undo)

    def undone(self, undo: Undo, by: str = RUN) -> None:
        self._entries = [one.carried_out(by) if one.same_as(undo) else one for one in self._entries]

    def entries(self) -> list[Undo]:
        return list(self._entries)


def live_run(
    cluster: FakeCluster, run_dir: Path, targets: dict[str, list[ResolvedTarget]], on: Target | None = None, **plan: object
) -> ActiveRun:
    """A live run on the fake cluster (of target ``on``; left out: the embedded one), activated; it does the first of ``targets``."""
    made = cast("Plan", SimpleNamespace(run_id="run-1", target=SimpleNamespace(name="local"), **plan))
    platform = cluster.platform(on)
    run = ActiveRun(
        plan=made,
        run_dir=run_dir,
        platforms={platform.region_name: platform},
        journal=Journal(cluster),
        log=EventLog(run_dir, "test"),
        targets=targets,
    )
    run.activity = next(iter(targets), "")
    active_run.activate(run)
    return run
