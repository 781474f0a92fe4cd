"""The live run: the one place where faults and probes find the platform, their targets, the journal and the history being written.

The runner's child process calls :func:`activate`; without it every action refuses (so ``chaos run`` on an experiment injects nothing).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from history.errors import TargetRefused
from history.plan import Plan, ResolvedTarget
from history.schema import EventKind
from history.writer import EventLog

if TYPE_CHECKING:
    from kube.client import Platform
    from safety.undo_journal import Undo


class UndoJournal(Protocol):
    """The record, in the cluster, of what must be undone; written before the fault."""

    def will_undo(self, undo: Undo) -> None:
        """Record ``undo`` before its fault acts; raises FaultFailed if it cannot be recorded."""

    def undone(self, undo: Undo, by: str = ...) -> None:
        """Record that ``undo`` has been carried out (or was not needed), and by whom: this run unless said otherwise."""

    def entries(self) -> list[Undo]:
        """Return all entries, oldest first; raises UndoFailed if they cannot be read."""


@dataclass(slots=True)
class ActiveRun:
    """What faults and probes of the running experiment may use."""

    plan: Plan
    run_dir: Path
    platforms: dict[str, Platform]  # region -> its platform
    journal: UndoJournal
    log: EventLog
    targets: dict[str, list[ResolvedTarget]] = field(default_factory=dict)  # activity name -> resolved in preflight
    bypass_pdb: bool = False  # as the experiment allows: see target.allow
    activity: str = ""  # name of the activity being executed; set by the runner

    @property
    def platform(self) -> Platform:
        """The platform of the run's only region. Raises TargetRefused: it has more; say which one is meant."""
        if len(self.platforms) != 1:
            raise TargetRefused(f"this run is in regions {', '.join(self.platforms)}; what asks for one platform must say which")
        return next(iter(self.platforms.values()))

    def targets_of(self, activity: str | None = None) -> list[ResolvedTarget]:
        """Return the targets that preflight resolved for ``activity`` (default: the one being executed).

        Raises:
            TargetRefused: none were resolved, so nothing may be touched.

        """
        found = self.targets.get(activity or self.activity, [])
        if not found:
            raise TargetRefused(f"{activity or self.activity}: preflight resolved no target for it; nothing was touched; check its name")
        return found

    def all_targets(self) -> list[ResolvedTarget]:
        """Return every target of the method, in order."""
        return [target for found in self.targets.values() for target in found]

    def fault_starts(self, targets: list[ResolvedTarget]) -> int:
        """Stamp t_fault: call it immediately before the effect. Returns ns."""
        return self.log.event(EventKind.FAULT_START, self.activity, targets=[target.name for target in targets])


_live: ActiveRun | None = None


def activate(run: ActiveRun | None) -> None:
    """Make ``run`` the live run of this process (None: there is none any more)."""
    global _live  # noqa: PLW0603 - Chaos Toolkit calls plain functions: a process-wide value is the only way in
    _live = run


def require() -> ActiveRun:
    """Return the live run.

    Raises:
        TargetRefused: there is none; the sentence says how to run the experiment.

    """
    if _live is None:
        raise TargetRefused(
            "no live Aftershock run (journal and lease) in this process, so nothing was injected; "
            "run the experiment through the suite: pytest -m chaos -k <experiment> --chaos-target targets/<target>.yaml"
        )
    return _live


def current() -> ActiveRun | None:
    """Return the live run, or None."""
    return _live
