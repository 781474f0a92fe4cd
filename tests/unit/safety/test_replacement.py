"""A pod with an ephemeral container is replaced as far as disruption budgets allow; what stays and does nothing is a residue."""

from __future__ import annotations

from typing import Any

import pytest

from history.errors import UndoFailed
from safety import replacement, undo
from safety.undo_journal import Undo, UndoKind
from testing.platform.fake_cluster import FakeCluster
from testing.platform.workload_kinds import budget, signalled

HIT, STAYS = "inference-a", "its ended ephemeral container stays, as residue: "


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    monkeypatch.setattr(replacement, "EVICT_S", 0.0)
    made = FakeCluster()
    signalled(made, HIT)
    return made


def entry(**more: Any) -> Undo:
    return Undo(kind=UndoKind.REPLACE_POD, activity="a", object=HIT, namespace="ml-serving", detail=f"uid-{HIT}", ends_by_ns=0, **more)


def undone(cluster: FakeCluster, **more: Any) -> str:
    return undo.undo_entry(cluster.platform(), entry(**more))


def test_what_budgets_let_go_is_evicted(cluster: FakeCluster) -> None:
    budget(cluster, healthy=2)
    assert undone(cluster) == f"pod ml-serving/{HIT}: evicted, its controller makes a new one"
    assert cluster.calls == [f"evict {HIT}"]


def test_a_budget_that_allows_none_is_not_waited_for_and_never_bypassed_by_itself(cluster: FakeCluster) -> None:
    budget(cluster)
    said = undone(cluster)
    assert said.endswith(f"{STAYS}the disruption budget inference wants 3 of 3 pods healthy: it allows none to go")
    assert not cluster.calls


def test_a_budget_that_counts_none_of_its_pods_says_so(cluster: FakeCluster) -> None:
    budget(cluster, healthy=0, of=0)
    assert "inference counts none of its pods (see kubectl describe pdb): it allows none to go" in undone(cluster)


def test_two_budgets_let_nothing_go(cluster: FakeCluster) -> None:
    budget(cluster, healthy=1)
    budget(cluster, "another", healthy=1)
    assert f"{STAYS}the disruption budgets inference, another both select it" in undone(cluster)
    assert not cluster.calls


def test_a_budget_that_may_allow_it_later_is_waited_for_and_then_named(cluster: FakeCluster) -> None:
    budget(cluster, healthy=2, of=3)
    cluster.budgets[0].status.disruptions_allowed = 0  # another is being replaced just now
    said = undone(cluster)
    assert STAYS in said
    assert "still forbids its eviction (Cannot evict pod as it would violate the pod's disruption budget.)" in said


def test_a_container_that_has_not_ended_is_a_fault_alive(cluster: FakeCluster) -> None:
    budget(cluster)
    for code in (None, 137):  # it runs; it was killed, and may have left a process stopped
        signalled(cluster, HIT, code)
        with pytest.raises(UndoFailed, match="its ephemeral container has not ended by itself"):
            undone(cluster)


def test_a_pod_that_nobody_would_make_again_keeps_a_residue(cluster: FakeCluster) -> None:
    cluster.pods["ml-serving", HIT].metadata.owner_references = []
    assert undone(cluster).endswith(f"{STAYS}it has no controller that would make another")


def test_a_pod_to_which_nothing_was_added_keeps_nothing(cluster: FakeCluster) -> None:
    budget(cluster)
    cluster.pods["ml-serving", HIT].spec.ephemeral_containers = None
    assert undone(cluster).endswith("nothing was added to it, so nothing is to be replaced")
    assert replacement.residues(cluster.platform(), [entry(done=True)]) == []


def test_an_experiment_may_allow_to_delete_it_while_all_others_are_ready(cluster: FakeCluster) -> None:
    budget(cluster)
    assert "deleted, as allow: {bypass_pdb: true} says, all others being Ready" in undone(cluster, bypass_pdb=True)
    assert cluster.calls == [f"delete pod {HIT} grace None"]


def test_it_is_not_deleted_while_another_is_not_ready(cluster: FakeCluster) -> None:
    budget(cluster)
    cluster.pods["ml-serving", "inference-b"].status.conditions[0].status = "False"
    assert STAYS in undone(cluster, bypass_pdb=True)
    assert not cluster.calls


def test_a_residue_is_said_as_long_as_that_pod_is_there(cluster: FakeCluster) -> None:
    platform = cluster.platform()
    [said] = replacement.residues(platform, [entry(done=True)])
    assert said.startswith(f"residue: pod ml-serving/{HIT} keeps an ended ephemeral container, which does nothing")
    assert replacement.residues(platform, [entry()]) == []  # an undo that is open is no residue
    del cluster.pods["ml-serving", HIT]
    assert replacement.residues(platform, [entry(done=True)]) == []
