"""A rollout: what it replaces, how much of it at a time, and what no rollout can be made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

import faults.rollouts
from history.errors import TargetRefused
from kube.controllers.rolling import RESTARTED
from probes.pods import gone
from safety import blast_radius
from safety.fault_spec import spec_of
from testing.platform.fake_cluster import FakeCluster, seeded
from testing.platform.fake_run import live_run
from testing.platform.in_memory.asked_by_path import APPS
from testing.platform.workload_kinds import kind_of

PATH = f"{APPS}/deployments/inference"
SPEC = spec_of(faults.rollouts.restart)
assert SPEC
ALL_UPDATED = {"updatedReplicas": 3, "observedGeneration": 1}


def cluster(**spec: Any) -> FakeCluster:
    """Three replicas of a Deployment that is rolled out."""
    made = FakeCluster()
    made.served[PATH] = kind_of(PATH, spec={"replicas": 3, **spec}, status=ALL_UPDATED)
    return made


def resolved(of: FakeCluster) -> list[Any]:
    return SPEC.resolve(of.platform(), {"role": "inference"}, seeded(7)) if SPEC else []


def rolling(**rolling_update: object) -> dict[str, Any]:
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": rolling_update}}


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        ({}, 0),  # a quarter of three, rounded down; a new one comes first
        (rolling(maxSurge=1, maxUnavailable=0), 0),
        (rolling(maxSurge=0, maxUnavailable=1), 1),
        (rolling(maxSurge="0%", maxUnavailable="67%"), 2),
        (rolling(maxSurge="0%", maxUnavailable="10%"), 1),  # where both come to none, one is missing
        ({"strategy": {"type": "Recreate"}}, 3),
    ],
)
def test_all_replicas_are_replaced_with_so_many_missing_as_the_strategy_says(spec: dict[str, Any], missing: int) -> None:
    found = resolved(cluster(**spec))
    assert [one.name for one in found] == ["inference-a", "inference-b", "inference-c"]
    assert {one.missing_at_once for one in found} == {missing}
    assert found[0].effect == f"replaced in a rollout of Deployment inference, with at most {missing} missing at a time"


@pytest.mark.parametrize("spec", [{}, rolling(maxSurge=0, maxUnavailable=1), rolling(maxSurge=0, maxUnavailable=2)])
def test_the_blast_radius_is_what_is_missing_at_a_time(spec: dict[str, Any]) -> None:
    of = cluster(**spec)
    blast_radius.check(of.platform(), resolved(of))


def test_a_rollout_that_ends_all_replicas_first_is_refused() -> None:
    of = cluster(strategy={"type": "Recreate"})
    with pytest.raises(TargetRefused, match="role inference would lose its last ready replica"):
        blast_radius.check(of.platform(), resolved(of))


def refused(of: FakeCluster) -> str:
    with pytest.raises(TargetRefused) as caught:
        resolved(of)
    return str(caught.value)


def test_what_no_rollout_can_be_made_of_is_refused_in_a_sentence() -> None:
    under_way = cluster()
    under_way.served[PATH]["status"] = {"updatedReplicas": 1, "observedGeneration": 1}
    assert "a rollout of Deployment inference is under way (1 of 3 replicas updated); wait for its end" in refused(under_way)
    assert "Deployment inference is paused, so nothing is rolled out" in refused(cluster(paused=True))


def test_it_changes_nothing_but_the_note_of_its_last_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of, patched = cluster(), list[tuple[str, str, Any]]()
    monkeypatch.setattr(
        client.AppsV1Api, "patch_namespaced_deployment", lambda _api, name, namespace, body: patched.append((name, namespace, body))
    )
    run = live_run(of, tmp_path, {"act": resolved(of)})
    assert faults.rollouts.restart("inference") == {"targets": ["inference-a", "inference-b", "inference-c"], "role": "inference"}
    assert of.calls == [f"write ahead nothing inference-{zone}" for zone in "abc"]
    [(name, namespace, body)] = patched
    assert (name, namespace, list(body)) == ("inference", "ml-serving", ["spec"])
    assert list(body["spec"]["template"]["metadata"]["annotations"]) == [RESTARTED]
    assert not gone("act")
    for target in run.targets_of():
        del of.pods["ml-serving", target.name]
    assert gone("act")
