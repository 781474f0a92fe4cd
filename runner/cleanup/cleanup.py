"""``heal`` and ``status``: what any earlier run left, ended or shown. Idempotent; says what it did."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from kubernetes import client

from history.errors import AftershockError, UndoFailed
from kube.client import Platform, api_errors
from runner.cleanup.leftovers import Leftovers, find_leftovers
from runner.drivers.training import job
from runner.drivers.training.left_behind import LeftJob, left_behind
from safety import chaos, reaper_job, undo
from safety.leases import Held, held_by
from safety.replacement import replace_pod
from safety.undo_journal import HEAL, RunJournal, StoredJournal, Undo, journal_of


class Cleaned:
    """What was done, and what could not be."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failed: list[str] = []

    def attempt(self, act: Callable[[], str]) -> bool:
        """Do one thing and keep what it says; return whether it worked."""
        try:
            with api_errors("heal", UndoFailed):
                self.done.append(act())
        except AftershockError as error:
            self.failed.append(str(error))
            return False
        return True

    def lines(self) -> list[str]:
        """Return both as lines for a person."""
        if not self.done and not self.failed:
            return ["nothing was left: no undo is open, no node is cordoned by a run, no lease or reaper is orphaned"]
        return [*self.done, *(f"FAILED: {text}" for text in self.failed)]


def clean_up(platform: Platform) -> Cleaned:
    """End everything that dead runs left; a run that is alive is not touched. Raises TargetRefused: nobody can look."""
    left, cleaned = find_leftovers(platform), Cleaned()
    cleaned.done += [f"run {run_id} is alive: it is left alone and heals itself" for run_id in sorted(left.active)]
    for journal in left.dead:
        _end_journal(platform, journal, cleaned)
    written = {journal.header.run_id for journal in left.dead}
    _end_unwritten(platform, left, written, cleaned)
    for residue in () if left.active else left.residues:
        cleaned.attempt(partial(_replace, platform, residue))
    for lease in left.leases:
        if not lease.alive:
            cleaned.attempt(partial(_drop, platform, lease))
    for run_id in sorted(reaper_job.runs(platform) - left.active):
        cleaned.attempt(partial(_remove_reaper, platform, run_id))
    for one in left_behind(platform, left.active):
        cleaned.attempt(partial(_end_job, platform, one))
    return cleaned


def _end_unwritten(platform: Platform, left: Leftovers, written: Collection[str], cleaned: Cleaned) -> None:
    """End what dead runs made and no journal names (any more): cordons, but of runs whose journal is ``written``, pods, chaos objects."""
    for node, run_id in left.orphaned_cordons.items():
        if run_id not in written:
            cleaned.attempt(partial(undo.uncordon, platform, node, run_id))
    for name in left.orphaned_pods:
        cleaned.attempt(partial(undo.delete_pod, platform, name, platform.target.suite.namespace))
    for made in left.orphaned_chaos:
        cleaned.attempt(partial(undo.undo_entry, platform, made))


def status(platform: Platform) -> list[str]:
    """Return what is active or left, as lines for a person. Raises TargetRefused."""
    left = find_leftovers(platform)
    lines = [_lease_line(lease) for lease in left.leases]
    lines += [line for journal in left.journals for line in _journal_lines(journal, left)]
    lines += [f"node {node}: cordoned by run {run_id}" for node, run_id in left.cordons.items()]
    lines += [f"pod {name}: of run {run_id}" for name, run_id in sorted(left.own_pods.items())]
    lines += [f"{chaos.name_in_words(one)}: of run {one.activity}" for one in left.chaos]
    lines += [f"pod {name}: carries an ephemeral container of an earlier run" for name in left.residues]
    lines += [f"reaper of run {run_id}" for run_id in sorted(reaper_job.runs(platform))]
    lines += [f"{one.where}: of a run that is dead" for one in left_behind(platform, left.active)]
    return lines or ["no fault is active: no lease, no journal, no cordon, no reaper"]


def _lease_line(lease: Held) -> str:
    return f"lease {lease.name}: {lease.holder}, {'alive' if lease.alive else 'expired'}, renewed {lease.age_s:.0f} s ago"


def _journal_lines(journal: StoredJournal, left: Leftovers) -> list[str]:
    state = "alive" if journal.header.run_id in left.active else "dead"
    entries = [f"  {'undone' if entry.done else 'OPEN  '} {entry.kind} {entry.object} ({entry.activity})" for entry in journal.entries]
    return [f"run {journal.header.run_id} ({state}): {journal.header.experiment}, {journal.header.owner}", *entries]


def _end_journal(platform: Platform, stored: StoredJournal, cleaned: Cleaned) -> None:
    journal = journal_of(platform, stored)
    ended = [cleaned.attempt(partial(_end_entry, platform, journal, entry)) for entry in stored.remaining]
    if all(ended):
        cleaned.attempt(partial(_close, journal, stored.header.run_id))


def _end_entry(platform: Platform, journal: RunJournal, entry: Undo) -> str:
    said = undo.undo_entry(platform, entry)
    chaos.confirm(platform, entry)
    journal.undone(entry, HEAL)
    return said


def _close(journal: RunJournal, run_id: str) -> str:
    journal.close()
    return f"journal of run {run_id}: closed"


def _remove_reaper(platform: Platform, run_id: str) -> str:
    return f"reaper of run {run_id}: removed {', '.join(reaper_job.remove(platform, run_id))}"


def _end_job(platform: Platform, left: LeftJob) -> str:
    job.delete(platform, left.kind, left.namespace, left.name)
    return f"{left.where}: ended"


def _replace(platform: Platform, residue: str) -> str:
    namespace, _, name = residue.partition("/")
    with api_errors(f"replace pod {residue}", UndoFailed):
        return replace_pod(platform, name, namespace, platform.pod(name, namespace).metadata.uid)


def _drop(platform: Platform, lease: Held) -> str:
    """Remove an expired lease, unless somebody took it meanwhile."""
    api, namespace = platform.coordination, platform.target.suite.namespace
    current = api.read_namespaced_lease(lease.name, namespace)
    if held_by(current, platform.server_time()).alive:
        return f"lease {lease.name}: taken by another run meanwhile, left to it"
    only_this = client.V1Preconditions(uid=current.metadata.uid, resource_version=current.metadata.resource_version)
    api.delete_namespaced_lease(lease.name, namespace, body=client.V1DeleteOptions(preconditions=only_this))
    return f"lease {lease.name}: expired, removed"
