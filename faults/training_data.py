"""Training data that a client overwrites with damaged ones, and their point-in-time restore, timed.

Mechanism: a program in an ephemeral container beside the S3 server (:mod:`faults.mechanisms.beside_server`) uploads them again, damaged,
through the server. When its time is over, or when it is told to end, it does what an operator would: it detects the damage by the record's
digest, chooses the newest good version, copies it back inside the server and verifies it. Where that program is lost, the rollback
does the same, or ``heal`` (:mod:`safety.data_damage`); where the suite is lost, too, its standby does. Until then ranks refuse the data.

Where data and server are, the role says (``object_store``). The program's credentials come from a Secret that the kubelet reads.
"""

from __future__ import annotations

from random import Random
from typing import Any

from faults.mechanisms.beside_server import beside_server, kind_of, resolve_servers
from faults.mechanisms.uploads import store_url, upload_damaged
from history.clock import now_ns
from history.plan import ResolvedTarget
from history.schema import EventKind
from kube.client import Platform
from safety import active_run
from safety.active_run import ActiveRun
from safety.data_damage import TRAINING_DATA, damage_of, restore_data
from safety.fault_spec import Arguments, KillTrial
from safety.undo_journal import Undo, UndoKind
from target.object_store import training_data_of

KINDS = ("bit-flip", "zeroed-page", "truncation")
ENDS = "its program restores the newest good version when its time is over"
STEPS = ("detect", "choose", "restore", "verify")


def _address(platform: Platform, role: str) -> str:
    """Return the training data's address for a client beside the server. Raises ConfigError: the role does not say it."""
    return store_url(platform, role, training_data_of(platform.target.role(role).object_store, role))


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    kind = kind_of("overwrite", arguments, KINDS)
    _address(platform, arguments["role"])
    return resolve_servers(platform, arguments, rng, "overwrite", effect=f"training data uploaded with {kind}", ends=ENDS)


@beside_server(
    resolve=_resolve,
    ends=ENDS,
    evidence=("probes.training_data.damaged",),
    killed=KillTrial(left_out="training data in an object store are needed"),
)
def overwrite(role: str, for_s: float, kind: str = "bit-flip", count: int = 1) -> dict[str, object]:
    """Upload the training data again, damaged, to ``count`` storage servers; after ``for_s`` seconds restore the newest good version.

    A job that begins, or begins again, meanwhile must not train on them. The rollback :func:`restore` ends it early.

    Args:
        role: the storage servers'.
        for_s: how long the damaged data stay (s, at most 120).
        kind: ``bit-flip``, ``zeroed-page`` or ``truncation``. All files together have at most 512 MiB, else nothing is done.
        count: how many servers.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the program could not be started beside a server, or could not act.

    """
    data = training_data_of(active_run.require().platform.target.role(role).object_store, role)
    return upload_damaged(role, data, "the training data", for_s=for_s, kind=kind, count=count)


def restore(role: str, project_gb: float = 0.0) -> dict[str, object]:
    """Rollback: see that what :func:`overwrite` damaged is restored, now if its time is not over yet, and record how long each part took.

    If nothing was overwritten, that is success.

    Args:
        role: the storage servers'.
        project_gb: a size (10⁹ bytes), for which the record says how long its restore would take at the measured rate.

    Raises:
        UndoFailed: nothing is known to be restored after 60 s.

    """
    run = active_run.require()
    namespace = run.platform.target.role(role).namespace
    left = [undo for undo in run.journal.entries() if undo.kind is UndoKind.RESTORE_DATA and not undo.done]
    ours = [undo for undo in left if undo.namespace == namespace and damage_of(undo).program == TRAINING_DATA]
    return {"undone": [_restored(run, undo, project_gb) for undo in ours]}


def _restored(run: ActiveRun, undo: Undo, project_gb: float) -> str:
    """Undo one entry and mark it; return what was done, and record it as the end of the fault."""
    outcome = restore_data(run.platform, undo)
    said = _summary(undo, outcome, project_gb)
    run.log.event(EventKind.FAULT_END, undo.activity, t_ns=min(now_ns(), outcome.get("ended_ns", now_ns())), how=said)
    run.journal.undone(undo)
    return said


def _summary(undo: Undo, outcome: dict[str, Any], project_gb: float) -> str:
    """Return a sentence with each step of the procedure and its rate (10⁶ bytes a second)."""
    restored = [each for each in outcome["objects"] if each["problem"]]
    if not restored:
        return f"{undo.object}: the data were good already"
    steps = {step: sum(each[f"{step}_s"] for each in restored) for step in STEPS}
    times = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in steps.items())
    versions = ", ".join(f"{each['key']} from version {each['version_id']}" for each in restored)
    rate = outcome["mb_per_s"]
    projected = f"; {project_gb:g} GB would take {project_gb * 1e3 / rate / 3600:,.1f} h" if project_gb and rate else ""
    return f"{undo.object}: restored {versions}: {times}; {rate:.2g} MB/s{projected}"
