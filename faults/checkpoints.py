"""Storage under a training job: finished checkpoints damaged where they lie.

Mechanism: a program in an ephemeral container beside the server (:mod:`faults.mechanisms.beside_server`), which is its own timer: it
damages for its time and ends. What it damaged stays damaged, as on a real disk: the job must pass it over. Before it damages a file, it
keeps the original on the same disk, outside the buckets. Healing puts the originals back (:mod:`safety.data_damage`), but for checkpoints
that the job's retention has removed. If nobody heals, the program does the same once the run must be over, or its standby.

The server must keep each object as a file of its own; where, the role says (``object_store``).

Other faults of storage:

- training data that a client overwrites: :mod:`faults.training_data`; weights that a replica fetches: :mod:`faults.weights`
- a server that answers badly: :mod:`faults.object_store`; that is down: :func:`faults.pods.kill`; that hangs:
  :func:`faults.processes.freeze_engine`
- a volume that takes nothing any more: :mod:`faults.disks`, which also says what is not offered
"""

from __future__ import annotations

from random import Random

from faults.mechanisms.beside_server import beside_server, container_of, kept_by, kind_of, resolve_servers, start_beside_servers
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform
from safety import active_run
from safety.data_damage import CHECKPOINTS, DataDamage
from safety.fault_spec import Arguments, KillTrial
from target.object_store import checkpoints_of

KINDS = ("bit-flip", "zeroed-page", "torn-write", "truncation", "stale-shard")
ENDS = "its program damages no more when its time is over; healing puts the originals back, or the program once the run must be over"


def folder_of_run(role: str) -> str:
    """Return where a storage server keeps the checkpoints of the run's job.

    Raises:
        TargetRefused: the run follows no training job.
        ConfigError: the role does not say where checkpoints lie.

    """
    run = active_run.require()
    if run.plan.training is None:
        raise TargetRefused("damage to checkpoints: this run follows no training job; use a class of workload that is one")
    return f"{checkpoints_of(run.platform.target.role(role).object_store, role)}/{run.plan.training.job}"


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    kind, role = kind_of("damage_checkpoints", arguments, KINDS), arguments["role"]
    checkpoints_of(platform.target.role(role).object_store, role)
    return resolve_servers(platform, arguments, rng, "damage_checkpoints", effect=f"{kind} in each newest finished checkpoint", ends=ENDS)


@beside_server(
    resolve=_resolve,
    ends=ENDS,
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
        FaultFailed: the program could not be started beside a server, or could not act.

    """
    folder, kept = folder_of_run(role), kept_by(role)
    places = (folder, "--originals", kept, "--outcome", f"{kept}.json")
    timers = active_run.require().plan.timers
    left_s = timers.confirm_s + timers.deadline_s + timers.heal_s
    damage = DataDamage(
        container=container_of(role),
        what=f"a shard of each newest finished checkpoint in {folder}",
        good=f"the original of each, in {kept}",
        program=CHECKPOINTS,
        arguments=("undo", *places),
        by_hand=f"copy each file of {kept} over the one of the same name in {folder}",
    )

    def words(seed: int) -> tuple[str, ...]:
        return ("damage", *places, "--kind", kind, "--for", str(for_s), "--seed", str(seed), "--undo-after", str(left_s))

    return start_beside_servers(role, for_s, damage, words, left_s) | {"kind": kind, "count": count, "folder": folder}
