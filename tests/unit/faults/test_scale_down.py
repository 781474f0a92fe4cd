"""A role that is scaled down: what is resolved, what is refused, what is written ahead and set, and what proves it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

import faults.rollouts
from history.errors import ConfigError, FaultFailed, TargetRefused
from probes.pods import some_gone
from safety import blast_radius
from safety.rescaling import Rescaled
from safety.undo_journal import UndoKind
from testing.platform.fake_cluster import FakeCluster, seeded
from testing.platform.fake_run import live_run
from testing.platform.in_memory.asked_by_path import APPS
from testing.platform.workload_kinds import AUTOSCALERS, autoscaler
from testing.runs.fault_parts import kinds, spec

SCALE = f"{APPS}/deployments/inference/scale"
NAMES = ["inference-a", "inference-b", "inference-c"]


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.served[AUTOSCALERS] = client.V2HorizontalPodAutoscalerList(items=[])
    made.served[SCALE] = {"metadata": {"resourceVersion": "7"}, "spec": {"replicas": 3}}
    return made


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    written: list[Any] = []
    monkeypatch.setattr(client.CustomObjectsApi, "replace_namespaced_custom_object_scale", lambda _api, *said: written.append(said))
    return written


def resolve(cluster: FakeCluster, **arguments: Any) -> list[Any]:
    return spec(faults.rollouts.scale_down).resolve(cluster.platform(), {"role": "inference"} | arguments, seeded(7))


def test_any_replica_may_leave_and_so_many_as_are_scaled_away_at_a_time(cluster: FakeCluster) -> None:
    found = resolve(cluster, count=2)
    assert [one.name for one in found] == NAMES
    assert {one.missing_at_once for one in found} == {2}
    assert found[0].effect == "may be the one that leaves: Deployment inference is to have 1 replicas instead of 3"
    blast_radius.check(cluster.platform(), found)


@pytest.mark.parametrize("count", [0, "1", 1.5, True])
def test_a_count_that_cannot_be_meant_is_refused_by_its_name(cluster: FakeCluster, count: object) -> None:
    with pytest.raises(ConfigError, match=r"^scale_down: count is "):
        resolve(cluster, count=count)


def test_none_would_remain_or_an_autoscaler_sets_the_number(cluster: FakeCluster) -> None:
    with pytest.raises(TargetRefused, match="Deployment inference is to have 3 replicas; 3 fewer would leave none"):
        resolve(cluster, count=3)
    autoscaler(cluster, "other", ("Deployment", "gateway"), "", datetime.now(UTC))
    assert resolve(cluster)
    autoscaler(cluster, "keda-hpa-inference", ("Deployment", "inference"), "", datetime.now(UTC))
    with pytest.raises(TargetRefused, match=r"Deployment inference is scaled by HorizontalPodAutoscaler keda-hpa-inference, .* pause it"):
        resolve(cluster)


def test_it_is_written_ahead_with_both_numbers_and_set_through_its_scale(cluster: FakeCluster, replaced: list[Any], tmp_path: Path) -> None:
    run = live_run(cluster, tmp_path, {"act": resolve(cluster)})
    assert faults.rollouts.scale_down("inference") == {"targets": NAMES, "role": "inference", "count": 1, "replicas": 2}
    [entry] = run.journal.entries()
    assert (entry.kind, entry.object, entry.namespace) == (UndoKind.RESCALE, "inference", "ml-serving")
    assert Rescaled.model_validate_json(entry.detail) == Rescaled(kind="Deployment", was=3, lowered=2)
    assert [body["spec"] for *_, body in replaced] == [{"replicas": 2}]
    assert "fault.start" in kinds(tmp_path)
    assert "fault.end" not in kinds(tmp_path)
    cluster.served[SCALE] = {"spec": {"replicas": 2}}
    assert faults.rollouts.restore() == {"undone": ["Deployment inference in namespace ml-serving: 3 replicas again"]}
    assert [body["spec"] for *_, body in replaced] == [{"replicas": 2}, {"replicas": 3}]
    assert "fault.end" in kinds(tmp_path)


def test_a_number_that_somebody_else_just_set_is_left(cluster: FakeCluster, replaced: list[Any], tmp_path: Path) -> None:
    live_run(cluster, tmp_path, {"act": resolve(cluster)})
    cluster.served[SCALE] = {"spec": {"replicas": 5}}
    with pytest.raises(FaultFailed, match="somebody else set its replicas from 3 to 5 just now; nothing was changed"):
        faults.rollouts.scale_down("inference")
    assert not replaced


def test_the_very_number_that_it_would_set_is_left_by_healing_too_if_somebody_else_set_it(
    cluster: FakeCluster, replaced: list[Any], tmp_path: Path
) -> None:
    run = live_run(cluster, tmp_path, {"act": resolve(cluster)})
    cluster.served[SCALE] = {"spec": {"replicas": 2}}
    with pytest.raises(FaultFailed, match="somebody else set its replicas from 3 to 2 just now; nothing was changed"):
        faults.rollouts.scale_down("inference")
    assert [entry.done for entry in run.journal.entries()] == [True]
    assert faults.rollouts.restore() == {"undone": []}
    assert not replaced


@pytest.mark.parametrize("now", [2, 4])
def test_a_number_that_preflight_did_not_find_is_left_and_nothing_is_to_undo(
    cluster: FakeCluster, replaced: list[Any], tmp_path: Path, now: int
) -> None:
    run = live_run(cluster, tmp_path, {"act": resolve(cluster)})
    cluster.replicas["inference"] = now
    cluster.served[SCALE] = {"spec": {"replicas": now}}
    with pytest.raises(FaultFailed, match=rf"is to have {now} replicas now, which preflight did not find \(.*2 replicas instead of 3\)"):
        faults.rollouts.scale_down("inference")
    assert not replaced
    assert not run.journal.entries()


def test_evidence_is_that_so_many_of_its_pods_are_gone_whichever(cluster: FakeCluster, tmp_path: Path) -> None:
    live_run(cluster, tmp_path, {"act": resolve(cluster)})
    assert not some_gone("act")
    del cluster.pods["ml-serving", "inference-b"]
    assert some_gone("act")
    del cluster.pods["ml-serving", "inference-a"]
    assert not some_gone("act")
    assert some_gone("act", 2)
