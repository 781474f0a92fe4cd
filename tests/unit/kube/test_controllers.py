"""How many replicas a role should have: by its Deployment or StatefulSet, by its target file, or nobody knows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from history.errors import NoData
from kube.controllers import controller_of, wanted
from probes.replicas import desired
from runner.preflight.checks import observing
from runner.preflight.platform_health import complaints, look
from target.role import Controller, Role
from testing.platform.fake_cluster import FakeCluster, local_target
from testing.runs.runner_cluster import RunnerCluster


class Stateful(RunnerCluster):
    """The API server with a StatefulSet called inference, instead of a Deployment."""

    current = 3

    def read_namespaced_stateful_set(self, name: str, namespace: str) -> Any:
        assert (name, namespace) == ("inference", "ml-serving")
        status = SimpleNamespace(updated_replicas=self.current, observed_generation=1)
        return SimpleNamespace(metadata=SimpleNamespace(name=name, generation=1), spec=SimpleNamespace(replicas=3), status=status)


def role(**fields: Any) -> Role:
    return Role(namespace="ml-serving", selector="app=inference", **fields)


def test_a_stateful_set_says_how_many() -> None:
    platform = Stateful().platform()
    assert wanted(platform, role(controller=Controller(kind="StatefulSet", name="inference"))) == 3


def test_a_target_file_says_how_many_where_no_controller_does() -> None:
    platform = FakeCluster().platform()
    assert wanted(platform, role(replicas=2)) == 2
    assert wanted(platform, role()) is None
    assert controller_of(platform, role(replicas=2)) is None


def test_a_role_of_which_nobody_knows_is_no_data() -> None:
    platform = FakeCluster().platform(local_target(roles={"inference": role()}, workloads={}))
    with pytest.raises(NoData, match="role inference names no controller, so nobody knows how many replicas it should have; add it"):
        desired(platform, "inference")


def test_a_rollout_of_a_stateful_set_is_seen() -> None:
    cluster = Stateful()
    roles = local_target().roles | {"inference": role(controller=Controller(kind="StatefulSet", name="inference"))}
    platform = cluster.platform(local_target(roles=roles))
    before = look(platform)
    assert before.replicas["inference"] == 3
    assert not [one for one in complaints(platform, before) if "rollout" in one]
    cluster.current = 1
    assert "role inference: a rollout of statefulset inference is in flight (1 of 3 replicas updated)" in complaints(platform, before)


def test_the_right_to_read_it_is_asked_for() -> None:
    roles = {"inference": role(controller=Controller(kind="StatefulSet", name="inference"))}
    asked = {(one.verb, one.resource) for one in observing(local_target(roles=roles, workloads={}))}
    assert ("get", "statefulsets") in asked
    assert ("get", "deployments") not in asked
