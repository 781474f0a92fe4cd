"""A lossy network of pods: what is resolved, what is refused, and what its fault pods are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import faults.network
from history.errors import ConfigError, TargetRefused
from safety.undo_journal import UndoKind
from testing.platform.fake_cluster import FakeCluster, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import fault_pods_told, kinds, spec

ASKED: dict[str, Any] = {"role": "inference", "for_s": 45, "percent": 20}


def resolve(cluster: FakeCluster, **changes: Any) -> Any:
    return spec(faults.network.lose_packets).resolve(cluster.platform(), ASKED | changes, seeded(7))


def test_it_says_how_much_how_long_and_who_ends_it() -> None:
    targets = resolve(FakeCluster(), count=2)
    assert len({target.name for target in targets}) == 2
    assert {target.effect for target in targets} == {"loses 20 % of its packets, but for those of its own node, for 45 s"}
    assert all("the kernel and a watchdog on its node end it after 45 s" in target.ends for target in targets)
    assert spec(faults.network.lose_packets).lasts_s(ASKED) == 45


@pytest.mark.parametrize("wrong", [{"percent": 0}, {"percent": 100}, {"percent": "20%"}, {"percent": 2.5}, {"for_s": 0}])
def test_what_cannot_be_meant_is_refused_by_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^lose_packets: {next(iter(wrong))} is "):
        resolve(FakeCluster(), **wrong)


def test_pods_on_their_nodes_network_are_refused_by_name() -> None:
    cluster = FakeCluster()
    cluster.pods["ml-serving", "inference-b"].spec.host_network = True
    with pytest.raises(TargetRefused, match="role inference: inference-b share the network of their nodes"):
        resolve(cluster)


def test_it_asks_for_what_its_evidence_needs() -> None:
    asked = {
        (one.verb, one.resource, one.namespace) for one in spec(faults.network.lose_packets).permissions(FakeCluster().platform(), ASKED)
    }
    assert {("create", "pods/exec", "ml-serving"), ("get", "pods/proxy", "ml-serving"), ("create", "pods", "aftershock")} <= asked


def test_each_pod_gets_a_fault_pod_that_is_written_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fault_pods_told(monkeypatch, "packet-loss")
    cluster = FakeCluster()
    run = live_run(cluster, tmp_path, {"act": resolve(cluster, count=2)})
    done = faults.network.lose_packets("inference", 45, 20, 2)
    assert (done["targets"], done["percent"]) == ([target.name for target in run.targets_of()], 20)
    assert [one.arguments for one in told] == [("packet-loss", "--pod", f"uid-{one.target.name}", "--percent", "20") for one in told]
    assert [one.node for one in told] == [target.node for target in run.targets_of()]
    assert [entry.kind for entry in run.journal.entries()] == [UndoKind.DELETE_POD] * 2
    assert "fault.start" in kinds(tmp_path)
