"""Training data that a client overwrites with damaged ones, and their point-in-time restore, timed.

Mechanism: a program in the S3 server's container (:mod:`workloads.storage.overwrite`) uploads them again, damaged. When its time is over,
or when it is told to end, it does what an operator would (:mod:`workloads.storage.restore`): it detects the damage by the record's digest,
chooses the newest good version, puts it back and verifies it. Where that program is lost with its pod, the rollback does the same. Where
the suite is lost, too, ``heal`` does (:mod:`safety.data_damage`); until then ranks refuse the data.
"""

from __future__ import annotations

from random import Random
from typing import Any

from faults.mechanisms.exec_program import container_of, fault_name, kind_of, permissions, resolve_servers, start_in_servers
from history.clock import now_ns
from history.plan import ResolvedTarget
from history.schema import EventKind
from kube.client import Platform
from safety import active_run
from safety.active_run import ActiveRun
from safety.data_damage import DataDamage, damage_of, restore_data
from safety.fault_spec import Arguments, KillTrial, fault, lasts_for_s
from safety.undo_journal import Undo, UndoKind
from target import reference_platform as storage

KINDS = ("bit-flip", "zeroed-page", "truncation")
ENDS = "its program restores the newest good version when its time is over"
STEPS = ("detect", "choose", "restore", "verify")


def outcome_file(name: str) -> str:
    """Return where a storage server's container keeps what restoring the data came to; beside it, ``.pid`` names the program."""
    return f"{storage.SCRATCH}/aftershock-restored-{name}.json"


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    kind = kind_of("overwrite", arguments, KINDS)
    return resolve_servers(platform, arguments, rng, "overwrite", effect=f"training data uploaded with {kind}", ends=ENDS)


@fault(
    resolve=_resolve,
    permissions=permissions,
    tier="namespace",
    lasts_s=lasts_for_s,
    ends=ENDS,
    undo=(UndoKind.RESTORE_DATA,),
    evidence=("probes.training_data.damaged",),
    killed=KillTrial(left_out="training data in an object store are needed"),
)
def overwrite(role: str, for_s: float, kind: str = "bit-flip", count: int = 1) -> dict[str, object]:
    """Upload the training data again, damaged, to ``count`` storage servers; after ``for_s`` seconds restore the newest good version.

    A job that begins, or begins again, meanwhile must not train on them. The rollback :func:`restore` ends it early.

    Args:
        role: the storage servers'.
        for_s: how long the damaged data stay (s, at most 120).
        kind: ``bit-flip``, ``zeroed-page`` or ``truncation``.
        count: how many servers.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the program could not be started in a server's container.

    """
    outcome = outcome_file(fault_name())
    about = (storage.DATA_URL, "--record", storage.DATA_RECORD)
    damage = DataDamage(
        container=container_of(role),
        what=f"the training data that {storage.DATA_RECORD} lists in {storage.DATA_URL}",
        good="the newest version of each object that has the SHA-256 in the record; the bucket keeps versions",
        program=storage.OVERWRITE,
        arguments=(*about, "--undo", "--outcome", outcome),
        by_hand=f"python -m {storage.RESTORE} --store '{storage.DATA_URL}' --record {storage.DATA_RECORD}",
    )

    def line(seed: int) -> str:
        words = ("--kind", kind, "--for", str(for_s), "--seed", str(seed), "--outcome", outcome)
        return f"{storage.KEYS}; {storage.command(storage.OVERWRITE, *about, *words)}"

    return start_in_servers(role, for_s, damage, line) | {"kind": kind, "count": count}


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
    ours = [undo for undo in left if undo.namespace == namespace and damage_of(undo).program == storage.OVERWRITE]
    return {"undone": [_restored(run, undo, project_gb) for undo in ours]}


def _restored(run: ActiveRun, undo: Undo, project_gb: float) -> str:
    """Undo one entry and mark it; return what was done, and record it as the end of the fault."""
    took_s, said = _summary(undo, restore_data(run.platform, undo), project_gb)
    run.log.event(EventKind.FAULT_END, undo.activity, t_ns=min(now_ns(), undo.ends_by_ns + int(took_s * 1e9)), how=said)
    run.journal.undone(undo)
    return said


def _summary(undo: Undo, outcome: dict[str, Any], project_gb: float) -> tuple[float, str]:
    """Return how long the procedure took (s), and a sentence with each of its steps and the rate (10⁶ bytes a second)."""
    restored = [each for each in outcome["objects"] if each["problem"]]
    if not restored:
        return 0.0, f"{undo.object}: the data were good already"
    steps = {step: sum(each[f"{step}_s"] for each in restored) for step in STEPS}
    times = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in steps.items())
    versions = ", ".join(f"{each['key']} from version {each['version_id']}" for each in restored)
    rate = outcome["mb_per_s"]
    projected = f"; {project_gb:g} GB would take {project_gb * 1e3 / rate / 3600:,.1f} h" if project_gb and rate else ""
    return sum(steps.values()), f"{undo.object}: restored {versions}: {times}; {rate:.2g} MB/s{projected}"
