"""Which effects of a fault can still be seen, by the probes that its registration names: asked from outside the run, which is dead."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.campaigns.kill.families import ACTION, Family, families
from history.errors import NoData
from history.plan import Plan, ResolvedTarget
from history.reader import read_plan
from history.writer import EventLog
from kube.client import Platform
from kube.selection import read_pod
from runner.experiment.catalogue import function_named
from safety import active_run
from safety.active_run import ActiveRun
from safety.undo_journal import RunJournal, journal_name

LOOKS, PAUSE_S = 3, 1.0  # a busy machine answers late once, not three times
ONE_AT_A_TIME = threading.Lock()  # probes find what they look at by the one live run of a process


def still_in_force(run_dir: Path | None, name: str, platform: Platform) -> list[str]:
    """Return every effect of the fault ``name`` that can still be seen on the targets of a run, as sentences; none if it came to no plan.

    What cannot be looked at is not taken for gone.
    """
    if run_dir is None:
        return []
    run, family = _Over(read_plan(run_dir), run_dir, platform), families()[name]
    hit = [target for target in run.plan.targets if target.kind == family.kind]
    if family.lasting and not hit:
        return [f"{name} has no {family.kind.lower()} among its targets, so nobody can look"]
    targets = [target for target in hit if not _replaced(platform, target)]
    looks = [(target, probe) for target in targets for probe in family.lasting]
    return [said for target, probe in looks if (said := _seen(run, family, target, probe))]


@dataclass(frozen=True, slots=True)
class _Over:
    """A run that is over, and its platform."""

    plan: Plan
    run_dir: Path
    platform: Platform

    @contextmanager
    def live_on(self, target: ResolvedTarget) -> Iterator[None]:
        """Let probes look at one of its targets."""
        journal = RunJournal(self.platform.config_maps, self.platform.target.suite.namespace, journal_name(self.plan.run_id))
        platforms = {target.region: self.platform}
        with ONE_AT_A_TIME, TemporaryDirectory() as folder:
            log = EventLog(Path(folder), "campaign")
            active_run.activate(ActiveRun(self.plan, self.run_dir, platforms, journal, log, {ACTION: [target]}))
            try:
                yield
            finally:
                active_run.activate(None)
                log.close()


def _replaced(platform: Platform, target: ResolvedTarget) -> bool:
    """Tell whether a target is a pod that is gone, or leaves."""
    if target.kind != "Pod":
        return False
    pod = read_pod(platform, target)
    return pod is None or pod.metadata.deletion_timestamp is not None


def _seen(run: _Over, family: Family, target: ResolvedTarget, probe: str) -> str:
    """Look several times whether ``probe`` says that the fault acts on ``target``; return what it said last, or nothing."""
    said = ""
    for look in range(LOOKS):
        time.sleep(PAUSE_S if look else 0.0)
        with run.live_on(target):
            try:
                said = probe if function_named(probe)(**family.arguments_of(probe)) else ""
            except NoData as error:
                said = f"{probe} cannot tell: {error}"
        if not said:
            return ""
    return f"{target.kind.lower()} {target.name}: still {said}"
