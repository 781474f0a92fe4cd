"""Storage under a training job: finished checkpoints damaged where they lie.

Mechanism: a program in the storage pod's own container (exec), which is its own timer: it damages for its time and ends. What it damaged
stays damaged, as on a real disk: the job must pass it over. Before it damages a file, it keeps the original on the same disk, outside the
bucket. Healing puts the originals back (:mod:`safety.data_damage`), but for checkpoints that the job's retention has removed. If nobody
heals, the program does the same once the run must be over.

Other faults of storage:

- training data that a client overwrites: :mod:`faults.training_data`
- a server that answers badly: :mod:`faults.object_store`; that is down: :func:`faults.pods.kill`; that hangs:
  :func:`faults.processes.freeze_engine`
- a volume that takes nothing any more: :mod:`faults.disks`, which also says what is not offered
"""

from __future__ import annotations

from random import Random

from faults.mechanisms.exec_program import container_of, fault_name, kind_of, permissions, resolve_servers, start_in_servers
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform
from safety import active_run
from safety.data_damage import DataDamage
from safety.fault_spec import Arguments, KillTrial, fault, lasts_for_s
from safety.undo_journal import UndoKind
from target import reference_platform as storage

KINDS = ("bit-flip", "zeroed-page", "torn-write", "truncation", "stale-shard")
ENDS = "its program damages no more when its time is over; healing puts the originals back, or the program once the run must be over"


def folder_of_run() -> str:
    """Return where a storage server keeps the checkpoints of the run's job. Raises TargetRefused: the run follows no training job."""
    job = active_run.require().plan.training
    if job is None:
        raise TargetRefused("damage to checkpoints: this run follows no training job; use a class of workload that is one")
    return f"{storage.CHECKPOINTS}/{job.job}"


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    kind = kind_of("damage_checkpoints", arguments, KINDS)
    return resolve_servers(platform, arguments, rng, "damage_checkpoints", effect=f"{kind} in each newest finished checkpoint", ends=ENDS)


@fault(
    resolve=_resolve,
    permissions=permissions,
    tier="namespace",
    lasts_s=lasts_for_s,
    ends=ENDS,
    undo=(UndoKind.RESTORE_DATA,),
    evidence=("probes.checkpoints.damaged",),
    killed=KillTrial(left_out="a training job that saves to the servers is needed"),
)
def damage_checkpoints(role: str, for_s: float, kind: str = "bit-flip", count: int = 1) -> dict[str, object]:
    """Damage one shard of each newest finished checkpoint of the run, on the disks of ``count`` storage servers, for ``for_s`` seconds.

    Args:
        role: the storage servers'.
        for_s: how long newly finished checkpoints are damaged (s, at most 120).
        kind: ``bit-flip``, ``zeroed-page``, ``torn-write``, ``truncation`` or ``stale-shard``.
        count: how many servers.

    Raises:
        TargetRefused: no live run, or none that follows a training job.
        FaultFailed: the program could not be started in a server's container.

    """
    folder = folder_of_run()
    originals, outcome = f"{storage.ORIGINALS}/{fault_name()}", f"{storage.SCRATCH}/aftershock-{fault_name()}.json"
    kept = ("--originals", originals, "--outcome", outcome)
    timers = active_run.require().plan.timers
    left_s = timers.confirm_s + timers.deadline_s + timers.heal_s
    damage = DataDamage(
        container=container_of(role),
        what=f"a shard of each newest finished checkpoint in {folder}",
        good=f"the original of each, in {originals}",
        program=storage.DAMAGE,
        arguments=("undo", folder, *kept),
        by_hand=storage.command(storage.DAMAGE, "undo", folder, *kept),
    )

    def line(seed: int) -> str:
        words = ("--kind", kind, "--for", str(for_s), "--seed", str(seed), "--undo-after", str(left_s))
        return storage.command(storage.DAMAGE, "damage", folder, *words, *kept)

    return start_in_servers(role, for_s, damage, line) | {"kind": kind, "count": count, "folder": folder}
