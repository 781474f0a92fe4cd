"""Undoing what a disruption budget holds back: asked in preflight, never forced, and what does no harm any more blocks nothing."""

from __future__ import annotations

import json
from unittest import mock

from bench.field.cases import Seen, case
from faults import processes
from history.errors import UndoFailed
from kube.selection import pod_target
from runner.cleanup.cleanup import clean_up
from runner.cleanup.leftovers import find_leftovers, refuse_leftovers
from runner.experiment.format import Action
from runner.preflight.checks import Fault
from runner.preflight.undo_allowed import refused_undos
from safety import replacement, undo
from safety.fault_spec import spec_of
from safety.undo_journal import Undo, UndoKind, open_journal
from target.allow import Allow
from testing.platform.fake_cluster import FakeCluster, pod
from testing.platform.workload_kinds import budget, signalled
from testing.runs.runner_cluster import RunnerCluster

PART = "undo"
RUN_ID, HIT = "20261121-120000-engine-killed-1-ab12", "inference-a"


def hit_cluster(*budgets: str, healthy: int = 3) -> RunnerCluster:
    """Return a cluster on which an engine was killed, in a pod that these disruption budgets select."""
    cluster = RunnerCluster()
    for name in budgets:
        budget(cluster, name, healthy=healthy)
    signalled(cluster, HIT)
    return cluster


def asked(cluster: FakeCluster, allow: Allow) -> str:
    """Return what preflight says of replacing the pod afterwards."""
    platform, spec = cluster.platform(), spec_of(processes.kill_engine)
    assert spec is not None  # noqa: S101 - it is registered in faults.processes
    action = Action.model_validate(
        {"type": "action", "name": "kill", "provider": {"type": "python", "module": "faults.processes", "func": "kill_engine"}}
    )
    targets = {"kill": [pod_target(cluster.pods["ml-serving", HIT], "", "")]}
    return "; ".join(refused_undos([Fault(action, spec, {"role": "inference"})], targets, platform, allow))


def undone(cluster: FakeCluster, *, bypass_pdb: bool = False) -> str:
    """Return what undoing the kill says, without waiting for a budget."""
    entry = Undo(
        kind=UndoKind.REPLACE_POD,
        activity="kill",
        object=HIT,
        namespace="ml-serving",
        detail=f"uid-{HIT}",
        ends_by_ns=0,
        bypass_pdb=bypass_pdb,
    )
    with mock.patch.object(replacement, "EVICT_S", 0.0):
        return undo.undo_entry(cluster.platform(), entry)


def in_preflight(given: str, cluster: RunnerCluster, words: str) -> None:
    """Register a budget that lets the pod not be evicted: a dry run of the eviction says so, and what will become of it."""

    @case(PART, f"{given}: preflight", "asked by a dry run of the eviction: what would stay, and what would allow more")
    def run() -> Seen:
        said = asked(cluster, Allow())
        asks = [call for call in cluster.calls if "evict" in call]
        return Seen(said, words in said and "as residue" in said and "bypass_pdb: true" in said and asks == [f"ask to evict {HIT}"])


in_preflight("a PDB that allows 0", hit_cluster("inference"), "would violate the pod's disruption budget")
in_preflight("two PDBs", hit_cluster("inference", "another", healthy=1), "more than one PodDisruptionBudget")


@case(
    PART,
    "a PDB that allows 0, engine killed",
    "residue: reported, no living fault; never deleted; the next run is not refused, heal does not fail",
)
def residue() -> Seen:
    """Undo the kill, close its journal, look for leftovers, and let heal look at it again."""
    cluster = hit_cluster("inference")
    platform = cluster.platform()
    said = undone(cluster)
    open_journal(platform, RUN_ID, "me@host:1", "serving/engine-killed").close()
    refuse_leftovers(find_leftovers(platform))
    with mock.patch("safety.reaper_job.runs", return_value=set()):
        healed = clean_up(platform)
    right = "stays, as residue" in said and not healed.failed and ("ml-serving", HIT) in cluster.pods
    return Seen(f"{said}; heal: {json.dumps(healed.lines())}", right)


@case(PART, "the same, allow: {bypass_pdb: true}, all other pods Ready; then one is not", "deleted; then not deleted")
def bypassed() -> Seen:
    """Undo the kill with the experiment's leave, while all others are Ready and while one is not."""
    ready, unready = hit_cluster("inference"), hit_cluster("inference")
    unready.pods["ml-serving", "inference-b"] = pod("inference-b", "gpu-b", ready=False)
    first, then = undone(ready, bypass_pdb=True), undone(unready, bypass_pdb=True)
    gone, kept = ("ml-serving", HIT) not in ready.pods, ("ml-serving", HIT) in unready.pods
    return Seen(f"{first}; then: {then}", gone and kept and "all others being Ready" in first)


@case(PART, "the same, the ephemeral container was killed (137) and may have left a process stopped", "a fault alive: not undone")
def killed() -> Seen:
    """Undo a freeze whose container did not end by itself."""
    cluster = hit_cluster("inference")
    signalled(cluster, HIT, 137)
    try:
        return Seen(undone(cluster), right=False)
    except UndoFailed as error:
        return Seen(str(error), "has not ended by itself" in str(error))
