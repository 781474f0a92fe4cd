"""Before a run a fault pod that changes nothing starts on every node to be hit: what keeps one from acting is said there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

import faults.network
import faults.pods
from faults.mechanisms import node_probe
from faults.mechanisms.node_probe import probe_nodes
from faults.node_agent import nothing
from faults.node_agent.node import Refused
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from runner.preflight.checks import Fault
from runner.preflight.node_probes import nodes_to_hit
from safety.fault_spec import spec_of
from testing.platform.fake_cluster import local_target
from testing.platform.fault_pods import Pulling, WithPods

ABLE = {"armed": "nothing", "acts_in_s": 1.5}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_probe, "PULL_S", 0.3)
    monkeypatch.setattr(node_probe, "POLL_S", 0.01)


def test_each_node_is_probed_once_and_nothing_stays() -> None:
    cluster = WithPods(ABLE)
    before = set(cluster.pods)
    assert set(probe_nodes(cluster.platform(), "run-1", ["gpu-a", "gpu-b", "gpu-a"])) == {"gpu-a", "gpu-b"}
    assert set(cluster.pods) == before
    assert sorted(one for one in cluster.calls if one.startswith("create")) == ["create pod on gpu-a", "create pod on gpu-b"]
    assert all(body["spec"]["containers"][0]["command"][3] == "nothing" for body in cluster.bodies)


def test_an_image_that_is_still_pulled_is_waited_for() -> None:
    assert set(probe_nodes(Pulling(3, ABLE).platform(), "run-1", ["gpu-a"], pause=lambda _: None)) == {"gpu-a"}


def test_no_node_is_no_question() -> None:
    assert probe_nodes(WithPods().platform(), "run-1", []) == {}


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (WithPods({"refused": "its container was granted no SYS_ADMIN"}), "node gpu-a: its container was granted no SYS_ADMIN"),
        (WithPods(phase="Pending", reason="ErrImagePull"), "node gpu-a: the fault pod's container does not start (Pending, ErrImagePull)"),
        (WithPods(phase="Failed", reason="UnexpectedAdmissionError"), "does not start (Failed, UnexpectedAdmissionError)"),
        (WithPods(phase="Pending", reason="Pulling"), "has not started within 0.3 s (Pending, Pulling)"),
        (
            WithPods(denied="exceeded quota"),
            "on node gpu-a in namespace aftershock: the API server answered 403 exceeded quota",
        ),
    ],
)
def test_what_keeps_a_fault_pod_from_acting_is_said_with_its_node(cluster: WithPods, said: str) -> None:
    before = set(cluster.pods)
    with pytest.raises(TargetRefused) as refused:
        probe_nodes(cluster.platform(), "run-1", ["gpu-a"])
    assert str(refused.value).startswith("no fault pod can act on 1 of 1 nodes: ")
    assert said in str(refused.value)
    assert set(cluster.pods) == before


def test_a_capability_that_was_taken_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nothing, "read", lambda _path: "CapEff:\t0000000000081000\n")  # NET_ADMIN and SYS_PTRACE
    with pytest.raises(Refused, match="granted no SYS_CHROOT, SYS_ADMIN"):
        nothing.nothing()


def test_only_nodes_on_which_a_fault_starts_a_pod_are_probed() -> None:
    platform = WithPods().platform(local_target())

    def chosen(function: Any, **arguments: object) -> list[str]:
        spec = spec_of(function)
        assert spec is not None
        fault = Fault(cast("Any", SimpleNamespace(name="act")), spec, arguments)
        return nodes_to_hit([fault], {"act": [ResolvedTarget(kind="Pod", name="a", uid="u", node="gpu-b")]}, platform)

    assert chosen(faults.network.isolate, role="inference", for_s=5) == ["gpu-b"]
    assert chosen(faults.pods.kill, role="inference") == []
