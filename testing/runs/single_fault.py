"""One fault at a time on a real platform, with everything that a run puts around it, and no load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from history.plan import ResolvedTarget
from history.writer import EventLog
from kube import permissions
from kube.client import Platform
from safety import active_run, blast_radius, leases
from safety.active_run import ActiveRun
from safety.undo import undo_all
from safety.undo_confirmed import unconfirmed_undos
from safety.undo_journal import list_journals, open_journal
from target.allow import Allow
from testing.platform.fake_cluster import seeded
from testing.runs.fault_parts import spec
from testing.waiting import PATIENCE_S, wait_for

ACTIVITY = "act"


@contextmanager
def single_fault(
    platform: Platform,
    function: Callable[..., Any],
    folder: Path,
    arguments: dict[str, Any],
    *,
    allow: Allow | None = None,
    patience_s: float = PATIENCE_S,
    **of_plan: Any,
) -> Iterator[ActiveRun]:
    """Carry out preflight of one fault, then hold its live run; at the end everything left is undone, and the journal is gone.

    ``folder`` gets the history; ``of_plan`` is what else the plan says. Raises TargetRefused; AssertionError: what was undone did not
    become true within ``patience_s``.
    """
    run_id = f"test-{uuid4()}"
    targets = preflight(platform, function, arguments, allow)
    held = leases.leases_of(platform, run_id)
    held.acquire(leases.names_for(targets))
    with held:
        journal = open_journal(platform, run_id, __name__, function.__name__)
        plan: Any = SimpleNamespace(run_id=run_id, seed=7, target=SimpleNamespace(name=platform.target.name), **of_plan)
        log = EventLog(folder, "test")
        made = ActiveRun(plan, folder, {platform.region_name: platform}, journal, log, {ACTIVITY: targets}, activity=ACTIVITY)
        active_run.activate(made)
        try:
            yield made
        finally:
            undo_all(made)
            active_run.activate(None)
            wait_for(
                lambda: not unconfirmed_undos(platform, journal.entries()), "every machine that was switched on has spoken", patience_s
            )
            journal.close()
            log.close()
    assert run_id not in {journal.header.run_id for journal in list_journals(platform)}


def preflight(
    platform: Platform, function: Callable[..., Any], arguments: dict[str, Any], allow: Allow | None = None
) -> list[ResolvedTarget]:
    """Return the targets of a fault. Raises TargetRefused: beyond the blast radius, or not permitted."""
    targets = spec(function).resolve(platform, arguments, seeded(int(time.time())))
    blast_radius.check(platform, targets, allow)
    permissions.require(platform, [*permissions.suite_permissions(platform), *spec(function).permissions(platform, arguments)])
    return targets
