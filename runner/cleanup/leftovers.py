"""What earlier runs left on the platform: journals with entries, cordons of ours, finished ephemeral containers, orphaned leases."""

from __future__ import annotations

from dataclasses import dataclass, field

from faults.mechanisms import chaos_mesh, fault_pod
from faults.mechanisms.process_signal import PREFIX
from history.errors import TargetRefused
from kube.client import Platform, api_errors
from kube.lists.nodes import unschedulable_nodes
from kube.objects import Pod
from runner.drivers.requests import load_pod
from safety.chaos import chaos_objects
from safety.leases import Held, list_leases
from safety.undo import CORDONED_BY
from safety.undo_journal import StoredJournal, Undo, list_journals


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What was found. ``active`` are runs that hold a living lease; their journals and cordons are theirs, not leftovers."""

    journals: tuple[StoredJournal, ...]
    leases: tuple[Held, ...]
    cordons: dict[str, str]  # node -> run id
    residues: tuple[str, ...]  # namespace/pod with an ephemeral container of ours that ended
    own_pods: dict[str, str] = field(default_factory=dict)  # fault and load pods: name in the suite's namespace -> run id of its label
    chaos: tuple[Undo, ...] = ()  # how to end each chaos object in the suite's namespace; ``activity`` is the run id of its label

    @property
    def active(self) -> frozenset[str]:
        """Ids of the runs that are alive."""
        return frozenset(lease.run_id for lease in self.leases if lease.alive)

    @property
    def dead(self) -> list[StoredJournal]:
        """Journals whose run is not alive any more."""
        return [journal for journal in self.journals if journal.header.run_id not in self.active]

    @property
    def orphaned_cordons(self) -> dict[str, str]:
        """Nodes that a dead run cordoned: node -> run id."""
        return {node: run_id for node, run_id in self.cordons.items() if run_id not in self.active}

    @property
    def orphaned_pods(self) -> list[str]:
        """Fault and load pods of dead runs, running or ended."""
        alive = {fault_pod.label_of(run_id) for run_id in self.active}
        return sorted(name for name, run in self.own_pods.items() if run not in alive)

    @property
    def orphaned_chaos(self) -> list[Undo]:
        """Chaos objects of dead runs."""
        alive = {fault_pod.label_of(run_id) for run_id in self.active}
        return [one for one in self.chaos if one.activity not in alive]


def find_leftovers(platform: Platform) -> Leftovers:
    """Look for everything that a run can leave. Raises TargetRefused: it cannot be read."""
    with api_errors("look for what earlier runs left", TargetRefused):
        notes = {node.metadata.name: (node.metadata.annotations or {}).get(CORDONED_BY) for node in unschedulable_nodes(platform)}
        pods = [pod for found in platform.pods_of_roles().values() for pod in found]
        ours = [pod for labels in (fault_pod.MANAGED, load_pod.MANAGED) for pod in _labelled(platform, labels)]
        chaos = chaos_objects(platform, chaos_mesh.MANAGED, fault_pod.RUN_LABEL)
    residues = {
        f"{pod.metadata.namespace}/{pod.metadata.name}"
        for pod in pods
        if pod.metadata.deletion_timestamp is None and any(one.name.startswith(PREFIX) for one in pod.spec.ephemeral_containers or [])
    }
    return Leftovers(
        journals=tuple(list_journals(platform)),
        leases=tuple(list_leases(platform)),
        cordons={node: run_id for node, run_id in notes.items() if run_id},
        residues=tuple(sorted(residues)),
        own_pods={pod.metadata.name: (pod.metadata.labels or {}).get(fault_pod.RUN_LABEL, "") for pod in ours},
        chaos=tuple(chaos),
    )


def _labelled(platform: Platform, labels: dict[str, str]) -> list[Pod]:
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    return platform.pods_in(platform.target.suite.namespace, selector)


def refuse_leftovers(found: Leftovers) -> None:
    """Refuse to start on a platform on which an earlier run left something undone.

    Raises:
        TargetRefused: with what was left.

    """
    undone = [f"run {journal.header.run_id} left {entry.kind} {entry.object}" for journal in found.dead for entry in journal.remaining]
    undone += [f"node {node} is still cordoned by run {run_id}" for node, run_id in found.orphaned_cordons.items()]
    if undone:
        end = "make heal, or python -m runner heal --target FILE"
        raise TargetRefused(f"leftovers of an earlier run: {'; '.join(undone)}; nothing was injected; end them first: {end}")
