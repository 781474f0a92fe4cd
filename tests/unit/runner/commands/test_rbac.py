"""The least rights with which experiments run."""

from __future__ import annotations

from kube.permissions import Permission
from runner.commands import rbac
from runner.experiment.experiment import read_experiment
from testing.platform.fake_cluster import ROOT, local_target


def test_rules_gather_verbs_and_split_by_scope() -> None:
    needed = [
        Permission("get", "pods", namespace="a"),
        Permission("list", "pods", namespace="a"),
        Permission("create", "pods/eviction", namespace="a"),
        Permission("list", "nodes"),
        Permission("get", "leases", "coordination.k8s.io", "b"),
    ]
    made = rbac.manifests(needed, "aftershock")
    roles = {(one["kind"], one["metadata"].get("namespace")): one["rules"] for one in made if "rules" in one}
    assert roles["ClusterRole", None] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
    assert roles["Role", "a"] == [
        {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    ]
    assert roles["Role", "b"][0]["apiGroups"] == ["coordination.k8s.io"]
    bindings = [one for one in made if one["kind"].endswith("Binding")]
    assert {one["subjects"][0]["namespace"] for one in bindings} == {"aftershock"}
    assert len(bindings) == 3


def test_an_experiment_is_granted_what_it_needs_and_no_more() -> None:
    def rights(name: str) -> set[tuple[str, str]]:
        experiment = read_experiment(ROOT / "experiments" / f"{name}.yaml", ROOT / "experiments")
        return {(one.verb, one.resource) for one in rbac.least_permissions([experiment], local_target())}

    null, killed, drained = rights("control/null-control"), rights("serving/replica-killed"), rights("serving/node-drained")
    assert killed - null >= {("delete", "pods")}
    assert not {resource for _, resource in null} & {"secrets", "pods/exec", "clusterroles", "jobs"}
    assert not {("patch", "nodes"), ("delete", "pods")} & null
    assert {("patch", "nodes"), ("create", "pods/eviction"), ("create", "jobs")} <= drained


def test_what_another_right_covers_is_not_granted_twice() -> None:
    experiment = read_experiment(ROOT / "experiments" / "serving" / "node-drained.yaml", ROOT / "experiments")
    found = rbac.least_permissions([experiment], local_target())
    everywhere = {(one.verb, one.resource, one.group) for one in found if one.namespace is None}
    assert ("list", "pods", "") in everywhere
    assert not [one for one in found if one.namespace and (one.verb, one.resource, one.group) in everywhere]
