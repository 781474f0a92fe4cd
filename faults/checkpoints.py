"""Storage under a training job: finished checkpoints damaged where they lie.

Mechanism: a program in the storage pod's own container (exec), which is its own timer: it damages for its time and ends. What it damaged
stays damaged, as on a real disk: the job must pass it over, and its own retention removes it.

Other faults of storage:

- training data that a client overwrites: :mod:`faults.training_data`
- a server that answers badly: :mod:`faults.object_store`; that is down: :func:`faults.pods.kill`; that hangs:
  :func:`faults.processes.freeze_engine`
- a volume that takes nothing any more: :mod:`faults.disks`, which also says what is not offered
"""

from __future__ import annotations

from random import Random

from faults.mechanisms.exec_program import kind_of, permissions, resolve_servers, start_in_servers
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform
from safety import active_run
from safety.fault_spec import Arguments, fault, lasts_for_s
from target import reference_platform as storage

KINDS = ("bit-flip", "zeroed-page", "torn-write", "truncation", "stale-shard")
ENDS = "the program ends when its time is over; what it damaged is passed over by the job and removed by its retention"


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
    evidence=("probes.checkpoints.damaged",),
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

    def line(seed: int) -> str:
        return storage.command(storage.DAMAGE, "damage", folder, "--kind", kind, "--for", str(for_s), "--seed", str(seed))

    return start_in_servers(role, for_s, line) | {"kind": kind, "count": count, "folder": folder}
