"""Every registered fault, tried as its registration says, or as stands here where the kill campaign leaves it out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from bench.campaigns.alone.platform import EATS_MIB, FOLDER, JOB, NODES, PODS, RANK, STORE, VOLUME
from bench.campaigns.alone.stored import S3
from bench.campaigns.kill.families import ACTION, FOR_S, Family, families
from bench.campaigns.kill.platform import Slot
from history.errors import ConfigError
from runner.experiment.catalogue import all_faults, function_named
from safety.undo_journal import UndoKind

ON_VOLUME = {"role": STORE, "volume": VOLUME}
IN_FOLDER = ON_VOLUME | {"folder": FOLDER}  # the server does not work there
IN_RANK = {"role": RANK}
MORE: Mapping[str, Mapping[str, object]] = {
    "faults.checkpoints.damage_checkpoints": {"role": STORE},
    "faults.disks.fail_disk": IN_FOLDER | {"percent": 60},
    "faults.disks.fill_disk": IN_FOLDER,
    "faults.disks.make_read_only": ON_VOLUME,
    "faults.disks.slow_disk": IN_FOLDER | {"latency_ms": 700},
    "faults.ranks.exhaust_memory": IN_RANK | {"mebibytes": EATS_MIB},
    "faults.ranks.fail_at": IN_RANK | {"point": "step", "action": "kill"},
    "faults.ranks.kill_coordinator": IN_RANK,
    "faults.ranks.segfault": IN_RANK | {"signal_name": "SIGSEGV"},
    "faults.training_data.overwrite": {"role": S3},
    "faults.weights.overwrite": {"role": S3, "kind": "bit-flip"},
}
"""Faults that the kill campaign leaves out -> what they and their probes are called with."""
EVIDENCE = {"faults.ranks.fail_at": "probes.processes.killed"}  # others than the first that the registration names
SHORTEST_S, LONGEST_S = 20.0, 90.0  # long enough to be looked at on a busy machine
STAY = ("faults.checkpoints.damage_checkpoints",)  # what they did stays when their time is over
LATE, LATEST_MS = "faults.object_store.delay_requests", 4000.0  # what a slow processor answers by itself is not late yet
OF_JOBS = "it needs the API of asynchronous jobs, which the campaign's small platforms have not"
OF_NAMESPACES = "it hits a whole namespace, in which other trials need new pods; its own test and experiment try it"
OF_ALL = "everybody on the cluster depends on it, and the campaign could not look meanwhile; its own test and experiment try it"
LEFT_OUT: Mapping[str, str] = {
    "faults.admission.refuse_by_quota": OF_NAMESPACES,
    "faults.admission.refuse_by_webhook": OF_NAMESPACES,
    "faults.control_plane.stop_api_server": OF_ALL,
    "faults.control_plane.stop_controllers": OF_ALL,
    "faults.jobs.flood": OF_JOBS,
    "faults.jobs.poison": OF_JOBS,
    "faults.load.surge": "users' load and its endpoint are needed; its own test and experiment try it",
    "faults.memory.exhaust": "a server in a container with a limit of memory is needed, which the kernel may kill; its own test tries it",
    "faults.rollouts.scale_down": "it takes a pod of a role, which other trials may have at hand; its own experiment tries it",
    "faults.rollouts.restart": "it replaces all pods of a role, one of which other trials may have at hand; its own experiment tries it",
}
"""Faults that nobody can try here, and why."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault, and how it is tried. ``for_s``: how long it lasts by itself (s); 0: it is over at once, or lasts until it is undone."""

    family: Family
    slot: Slot
    for_s: float

    @property
    def name(self) -> str:
        """The fault's."""
        return self.family.name

    @property
    def ends_by_itself(self) -> bool:
        """Whether its effect lasts and ends with its time, with nobody's help."""
        stays = UndoKind.UNCORDON in all_faults()[self.name].undo or self.name in STAY
        return bool(self.for_s and self.family.lasting) and not stays

    def arguments(self) -> dict[str, Any]:
        """Return what the fault is called with."""
        return self.family.arguments_of(self.name)


def trials(slower_by: float = 1.0) -> dict[str, Trial]:
    """Return every trial by its fault's name; on a slower processor faults last longer, so that they can be looked at.

    Raises:
        ConfigError: a registered fault is neither tried nor left out for a reason.

    """
    known = families() | {name: _family(name, arguments) for name, arguments in MORE.items()}
    if lacking := set(all_faults()) - set(known) - set(LEFT_OUT):
        raise ConfigError(f"bench.campaigns.alone: nobody says how to try {', '.join(sorted(lacking))}; add it to MORE, or to LEFT_OUT")
    return {name: _trial(family, slower_by) for name, family in sorted(known.items())}


def _family(name: str, arguments: Mapping[str, object]) -> Family:
    spec = all_faults()[name]
    given = {"activity": ACTION, "for_s": FOR_S["pods"], **arguments}
    evidence = EVIDENCE.get(name, spec.evidence[0])
    return Family(name, given, "pods", evidence, (evidence,) if _lasts(name) else ())


def _trial(family: Family, slower_by: float) -> Trial:
    for_s = float(round(min(max(FOR_S[family.on] * slower_by, SHORTEST_S), LONGEST_S)))
    more: dict[str, object] = {"for_s": for_s}
    if family.name == LATE:
        more["latency_ms"] = int(min(float(str(family.arguments["latency_ms"])) * slower_by, LATEST_MS))
    made = replace(family, arguments={**family.arguments, **more})
    return Trial(made, PODS if family.on == "pods" else NODES, for_s if _lasts(family.name) else 0.0)


def _lasts(name: str) -> bool:
    return "for_s" in inspect.signature(function_named(name)).parameters


def of_plan() -> dict[str, Any]:
    """Return what else the plan of a run says that faults and evidence ask for: a job, and how long a run may take (s)."""
    timers = SimpleNamespace(confirm_s=45.0, deadline_s=60.0, heal_s=60.0)
    return {"training": SimpleNamespace(job=JOB), "timers": timers}
