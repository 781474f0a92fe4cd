"""DNS that fails a role's pods: what is resolved, what is refused, and what its fault pods are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import faults.dns
from history.errors import ConfigError, TargetRefused
from safety.undo_journal import UndoKind
from testing.platform.fake_cluster import FakeCluster, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import fault_pods_told, kinds, spec

ASKED: dict[str, Any] = {"role": "gateway", "for_s": 30, "count": 2}


def resolve(cluster: FakeCluster, **changes: Any) -> Any:
    return spec(faults.dns.fail).resolve(cluster.platform(), ASKED | changes, seeded(7))


@pytest.mark.parametrize(("how", "says"), [({}, "no answer"), ({"how": "silent"}, "no answer"), ({"how": "servfail"}, "SERVFAIL")])
def test_it_says_what_happens_how_long_and_who_ends_it(how: dict[str, Any], says: str) -> None:
    targets = resolve(FakeCluster(), **how)
    assert len({target.name for target in targets}) == 2
    assert all(says in target.effect and "for 30 s" in target.effect and "the kernel and a watchdog" in target.ends for target in targets)
    assert spec(faults.dns.fail).lasts_s(ASKED) == 30


@pytest.mark.parametrize("wrong", [{"how": "refused"}, {"how": ["silent"]}, {"how": None}, {"for_s": 0}, {"for_s": "30s"}])
def test_what_cannot_be_meant_is_refused_by_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^fail: {next(iter(wrong))} is "):
        resolve(FakeCluster(), **wrong)


def test_pods_on_their_nodes_network_are_refused_by_name() -> None:
    cluster = FakeCluster()
    cluster.pods["ml-serving", "gateway-b"].spec.host_network = True
    with pytest.raises(TargetRefused, match="role gateway: gateway-b share the network of their nodes"):
        resolve(cluster)


def test_it_asks_for_what_its_evidence_needs() -> None:
    asked = {(one.verb, one.resource, one.namespace) for one in spec(faults.dns.fail).permissions(FakeCluster().platform(), ASKED)}
    assert {("create", "pods/exec", "ml-serving"), ("get", "pods/proxy", "ml-serving"), ("create", "pods", "aftershock")} <= asked


@pytest.mark.parametrize("how", ["silent", "servfail"])
def test_each_pod_gets_a_fault_pod_that_is_written_ahead(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fault_pods_told(monkeypatch, "dns-fail")
    cluster = FakeCluster()
    run = live_run(cluster, tmp_path, {"act": resolve(cluster, how=how)})
    assert faults.dns.fail("gateway", 30, how, 2)["targets"] == [target.name for target in run.targets_of()]
    assert [one.arguments for one in told] == [("dns-fail", "--pod", f"uid-{one.target.name}", "--how", how) for one in told]
    assert [one.node for one in told] == [target.node for target in run.targets_of()]
    assert [entry.kind for entry in run.journal.entries()] == [UndoKind.DELETE_POD] * 2
    assert "fault.start" in kinds(tmp_path)
