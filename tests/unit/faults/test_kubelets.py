"""A frozen kubelet: what is resolved and refused, and that its fault pod is written ahead and told the right word."""

from __future__ import annotations

from pathlib import Path

import pytest

import faults.kubelets
from faults.mechanisms import fault_pod
from history.errors import ConfigError
from safety.undo_journal import UndoKind
from testing.platform.fake_cluster import FakeCluster, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import kinds, spec


def test_one_node_that_hosts_the_role_is_chosen_and_who_ends_it_is_said() -> None:
    fault = spec(faults.kubelets.freeze)
    [target] = fault.resolve(FakeCluster().platform(), {"role": "inference", "for_s": 90}, seeded(7))
    assert (target.kind, target.effect) == ("Node", "its kubelet is frozen for 90 s, its pods go on")
    assert "a watchdog on its node end it after 90 s" in target.ends
    assert fault.lasts_s({"for_s": 90}) == 90
    with pytest.raises(ConfigError, match="freeze: for_s is 0"):
        fault.resolve(FakeCluster().platform(), {"role": "inference", "for_s": 0}, seeded(7))


def test_it_asks_for_what_its_evidence_needs() -> None:
    asked = {
        (one.verb, one.resource, one.namespace)
        for one in spec(faults.kubelets.freeze).permissions(FakeCluster().platform(), {"role": "inference"})
    }
    assert {("get", "leases", "kube-node-lease"), ("get", "pods/proxy", "ml-serving"), ("create", "pods", "aftershock")} <= asked


def test_its_fault_pod_is_written_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[fault_pod.FaultPod] = []
    monkeypatch.setattr(fault_pod, "create", lambda _run, planned: told.append(planned))
    monkeypatch.setattr(fault_pod, "armed", lambda *_: 0.0)
    cluster = FakeCluster()
    [target] = spec(faults.kubelets.freeze).resolve(cluster.platform(), {"role": "inference", "for_s": 90}, seeded(7))
    run = live_run(cluster, tmp_path, {"act": [target]})
    assert faults.kubelets.freeze("inference", 90)["targets"] == [target.name]
    assert [(one.node, one.arguments, one.for_s) for one in told] == [(target.name, ("kubelet-freeze",), 90)]
    assert [entry.kind for entry in run.journal.entries()] == [UndoKind.DELETE_POD]
    assert "fault.start" in kinds(tmp_path)
