"""How many replicas a role should have: by its controller of any kind, by who owns its pods, by its target file, or nobody knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import ConfigError
from kube.controllers.kinds import KINDS, Reference, permission_to_read
from kube.controllers.wanted import controllers_of, permissions, wanted
from kube.objects import Pod
from kube.permissions import Permission
from target import role as target_role
from target.role import Controller, Role
from target.target import load_target
from testing.platform.fake_cluster import ROOT, FakeCluster, pod
from testing.platform.in_memory.asked_by_path import APPS
from testing.platform.workload_kinds import (
    GROUPS,
    JOB_SETS,
    LEADERS,
    ROLLOUTS,
    WIDGETS,
    canary,
    kind_of,
    leader_worker_set,
    owned,
    scale_of,
)


def role(**fields: Any) -> Role:
    return Role(namespace="ml-serving", selector="app=inference", **fields)


def named(kind: str, name: str = "inference", **more: Any) -> Role:
    return role(controller=Controller(kind=kind, name=name, **more))


def served(path: str, **parts: Any) -> FakeCluster:
    cluster = FakeCluster()
    cluster.served[path] = kind_of(path, **parts)
    return cluster


def test_the_kinds_that_a_target_file_may_name_are_those_that_are_read() -> None:
    assert set(target_role.KINDS) == set(KINDS)


JOBS = [{"replicas": 2, "template": {"spec": {"parallelism": 4, "completions": 3}}}, {"template": {"spec": {}}}]


@pytest.mark.parametrize(
    ("kind", "path", "parts", "want"),
    [
        ("Deployment", f"{APPS}/deployments", {"spec": {}}, 1),
        ("StatefulSet", f"{APPS}/statefulsets", {"spec": {"replicas": 3}}, 3),
        ("ReplicaSet", f"{APPS}/replicasets", {"spec": {"replicas": 0}}, 0),
        ("DaemonSet", f"{APPS}/daemonsets", {"status": {"desiredNumberScheduled": 6}}, 6),
        ("Job", "/apis/batch/v1/namespaces/ml-serving/jobs", {"spec": {"parallelism": 4, "completions": 2}}, 2),
        ("LeaderWorkerSet", LEADERS, {"spec": {"replicas": 2, "leaderWorkerTemplate": {"size": 4}}}, 8),
        ("Rollout", ROLLOUTS, {"spec": {"replicas": 5}}, 5),
        ("JobSet", JOB_SETS, {"spec": {"replicatedJobs": JOBS}}, 7),
        ("JobSet", JOB_SETS, {"spec": {"replicatedJobs": JOBS, "suspend": True}}, 0),
    ],
)
def test_a_controller_of_each_kind_says_how_many_pods_it_wants(kind: str, path: str, parts: dict[str, Any], want: int) -> None:
    assert wanted(served(f"{path}/inference", **parts).platform(), named(kind)) == want


def test_any_other_kind_is_asked_for_its_scale() -> None:
    cluster = served(f"{WIDGETS}/inference/scale", spec={"replicas": 4})
    cluster.served["/apis/"] = GROUPS
    assert wanted(cluster.platform(), named("Widget", resource="widgets.example.com")) == 4


@pytest.mark.parametrize(
    ("controller", "resource", "group"),
    [
        (Controller(kind="StatefulSet", name="x"), "statefulsets", "apps"),
        (Controller(kind="Rollout", name="x"), "rollouts", "argoproj.io"),
        (Controller(kind="Widget", name="x", resource="widgets.example.com"), "widgets/scale", "example.com"),
    ],
)
def test_the_right_to_read_it_is_asked_for(controller: Controller, resource: str, group: str) -> None:
    assert permission_to_read(controller, "ml-serving") == Permission("get", resource, group, "ml-serving")
    assert permissions(role(controller=controller)) == [permission_to_read(controller, "ml-serving")]


def test_who_has_no_controller_in_the_target_file_is_looked_for_by_owner_and_a_number_needs_no_right() -> None:
    assert [one.resource for one in permissions(role())] == ["deployments", "statefulsets", "replicasets"]
    assert permissions(role(replicas=2)) == permissions(role(of_run=True)) == []


def test_a_kind_that_is_not_known_needs_the_name_of_its_resource(tmp_path: Path) -> None:
    text = (ROOT / "targets/local.yaml").read_text().replace("{kind: Deployment, name: inference}", "{kind: Widget, name: inference}")
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"Widget is none of Deployment, .*resource: widgets\.GROUP\), or leave controller out"):
        load_target(tmp_path / "t.yaml")
    (tmp_path / "t.yaml").write_text(text.replace("{kind: Widget,", "{kind: Widget, resource: widgets.example.com,"))
    assert load_target(tmp_path / "t.yaml").roles["inference"].controller is not None


def test_a_target_file_says_how_many_where_no_controller_does() -> None:
    cluster = FakeCluster()
    assert wanted(cluster.platform(), role(replicas=2)) == 2
    assert controllers_of(cluster.platform(), role(replicas=2)) == []


def test_a_rollout_that_is_paused_says_so_since_waiting_does_not_end_it() -> None:
    paused = {"paused": True, "replicas": 3, "template": {}}
    cluster = served(f"{APPS}/deployments/inference", spec=paused, status={"updatedReplicas": 1})
    [found] = controllers_of(cluster.platform(), named("Deployment"))
    assert found.rollout == "1 of 3 replicas updated, and it is paused: kubectl rollout resume"
    cluster = served(f"{APPS}/deployments/inference", spec=paused, status={"updatedReplicas": 3})
    assert controllers_of(cluster.platform(), named("Deployment"))[0].rollout == ""


def test_nobody_knows_how_many_bare_pods_there_should_be() -> None:
    assert wanted(FakeCluster().platform(), role(), [pod("bare", owner=None)]) is None


def test_a_deployment_is_found_by_the_name_of_its_replica_set_without_reading_that() -> None:
    cluster = FakeCluster()
    found = controllers_of(cluster.platform(), role(), [owned("x", "ReplicaSet", "inference-7f9c", {"pod-template-hash": "7f9c"})])
    assert [str(one.reference) for one in found] == ["Deployment inference"]


def test_the_chain_of_owners_is_climbed_up_to_who_is_scaled() -> None:
    cluster = served(f"{APPS}/replicasets/o", spec={"replicas": 3}, owner=("apps/v1", "Deployment", "inference"))
    cluster.served["/apis/serving.kserve.io/v1beta1"] = client.V1APIResourceList(group_version="x", resources=[])
    cluster.replicas["inference"] = 4
    assert wanted(cluster.platform(), role(), [owned("x", "ReplicaSet", "o")]) == 4


def test_an_operator_above_who_is_scaled_is_not_asked() -> None:
    cluster = served(f"{APPS}/statefulsets/vllm", spec={"replicas": 2}, owner=("example.com/v1", "Platform", "all"))
    assert wanted(cluster.platform(), role(), [owned("vllm-0", "StatefulSet", "vllm")]) == 2


def test_pods_of_a_kind_with_a_scale_are_counted_by_it_as_discovery_says() -> None:
    cluster = served(f"{WIDGETS}/w/scale", spec={"replicas": 6})
    cluster.served["/apis/example.com/v1"] = scale_of("widgets", "Widget")
    pods = [owned("x", "Widget", "w", version="example.com/v1"), owned("y", "Other", "o", version="example.com/v1")]
    assert wanted(cluster.platform(), role(), pods) == 6
    assert wanted(cluster.platform(), role(), pods[1:]) is None


def test_two_controllers_behind_one_label_count_together() -> None:
    cluster = FakeCluster()
    cluster.served[f"{APPS}/deployments/inference-canary"] = kind_of("", spec={"replicas": 1})
    assert wanted(cluster.platform(), role(), [*_of_deployment(), canary()]) == 4


def _of_deployment() -> list[Pod]:
    return [owned(f"x-{place}", "ReplicaSet", "inference-7f9c", {"pod-template-hash": "7f9c"}) for place in range(3)]


@pytest.mark.parametrize(("workers", "want"), [(True, 6), (False, 2)])
def test_the_unit_of_a_leader_worker_set_is_the_group(workers: bool, want: int) -> None:
    cluster, pods = leader_worker_set(groups=2, size=3)
    there = [one for one in pods if workers or (one.metadata.labels or {})["leaderworkerset.sigs.k8s.io/worker-index"] == "0"]
    assert wanted(cluster.platform(), role(), there) == want
    [found] = controllers_of(cluster.platform(), role(), there)
    assert (found.reference.kind, found.size, found.recreates) == ("LeaderWorkerSet", 3, True)


def test_an_owner_that_may_not_be_read_or_is_gone_says_nothing() -> None:
    cluster = FakeCluster()
    cluster.served[f"{APPS}/statefulsets/a"] = ApiException(status=403, reason="Forbidden")
    assert wanted(cluster.platform(), role(), [owned("a-0", "StatefulSet", "a"), owned("b-0", "StatefulSet", "b")]) is None


@pytest.mark.parametrize(
    ("kind", "path", "spec", "status", "said"),
    [
        ("StatefulSet", f"{APPS}/statefulsets", {}, {"updatedReplicas": 1}, "1 of 3 replicas updated"),
        ("StatefulSet", f"{APPS}/statefulsets", {"updateStrategy": {"rollingUpdate": {"partition": 2}}}, {"updatedReplicas": 1}, ""),
        ("StatefulSet", f"{APPS}/statefulsets", {"updateStrategy": {"type": "OnDelete"}}, {}, ""),
        ("Deployment", f"{APPS}/deployments", {}, {"updatedReplicas": 3, "observedGeneration": 1}, "3 of 3 replicas updated"),
        ("Rollout", ROLLOUTS, {}, {"phase": "Paused", "updatedReplicas": 1, "observedGeneration": "2"}, "Paused, 1 of 3 replicas updated"),
        ("Rollout", ROLLOUTS, {}, {"phase": "Healthy", "updatedReplicas": 3, "observedGeneration": "2"}, ""),
        ("LeaderWorkerSet", LEADERS, {"leaderWorkerTemplate": {"size": 2}}, {"updatedReplicas": 2}, "2 of 3 groups updated"),
    ],
)
def test_a_rollout_under_way_is_seen(kind: str, path: str, spec: dict[str, Any], status: dict[str, Any], said: str) -> None:
    cluster = served(f"{path}/inference", spec={"replicas": 3} | spec, status={"observedGeneration": 2} | status, generation=2)
    [found] = controllers_of(cluster.platform(), named(kind))
    assert found.rollout == said
    assert found.reference == Reference(f"{KINDS[kind].group}/{KINDS[kind].version}", kind, "inference")
