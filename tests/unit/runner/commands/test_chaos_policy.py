"""Where a region has Chaos Mesh: which experiments are none for it, what rights are printed, what its accounts may make."""

from __future__ import annotations

import pytest
import yaml

from runner.__main__ import EXPERIMENTS
from runner.commands import admission_policy, permission_page, rbac
from runner.experiment.absence import absent
from runner.experiment.experiment import Experiment, check_target, read_experiment
from target.target import Target, load_target
from testing.platform.fake_cluster import ROOT, local_target
from testing.platform.in_memory.chaos_mesh import mesh_target

TARGET = ROOT / "targets" / "chaos-mesh.yaml"


def shipped(name: str) -> Experiment:
    return read_experiment(EXPERIMENTS / f"{name}.yaml", EXPERIMENTS)


@pytest.mark.parametrize(
    "name", ["serving/replica-killed", "serving/replica-partitioned", "serving/engine-frozen", "serving/gateway-leaves"]
)
def test_what_chaos_mesh_can_make_and_what_needs_no_fault_pod_is_run(name: str) -> None:
    assert absent(shipped(name), load_target(TARGET)) == ""
    check_target(shipped(name), load_target(TARGET))


@pytest.mark.parametrize("name", ["serving/dns-silent", "storage/disk-full", "storage/object-store-slow"])
def test_what_only_a_fault_pod_can_do_is_skipped_by_its_name(name: str) -> None:
    assert absent(shipped(name), local_target()) == ""
    said = absent(shipped(name), mesh_target())
    assert "needs a fault pod; in region default faults are made by Chaos Mesh, which has nothing equal" in said
    assert "leave chaos_mesh out" in said


def test_a_node_is_lost_by_its_machine_driver_as_everywhere_and_by_no_fault_pod() -> None:
    driver = local_target().only_region().machines
    assert absent(shipped("serving/gpu-node-lost"), local_target(chaos_mesh={}, machines=driver and driver.model_dump())) == ""
    assert "needs a fault pod" in absent(shipped("serving/gpu-node-lost"), mesh_target())


def test_rights_are_printed_for_its_objects_and_for_no_pods_of_the_suite() -> None:
    needed = rbac.least_permissions([shipped("serving/replica-killed"), shipped("serving/replica-partitioned")], load_target(TARGET))
    printed = rbac.text(rbac.manifests(needed, "aftershock"))
    roles = {(one["kind"], one["metadata"].get("namespace")): one["rules"] for one in yaml.safe_load_all(printed) if "rules" in one}
    own = [rule for rule in roles["Role", "aftershock"] if rule["apiGroups"] == ["chaos-mesh.org"]]
    assert [(rule["resources"], rule["verbs"]) for rule in own] == [(["networkchaos", "podchaos"], ["create", "delete", "get"])]
    assert not [rule for rule in roles["Role", "aftershock"] if "pods" in rule["resources"] and "create" in rule["verbs"]]
    assert [rule["verbs"] for rule in roles["ClusterRole", None] if rule["apiGroups"] == ["chaos-mesh.org"]] == [["list"]]


def test_the_policy_holds_to_its_objects_where_a_region_has_it_alone() -> None:
    assert not chaos_rules(local_target())
    rules = " ".join(chaos_rules(load_target(TARGET)))
    for part in (
        'request.namespace == "aftershock"',
        '"aftershock.dev/kind"',
        "partition",
        "pod-kill",
        "has(object.spec.duration)",
        '["ml-serving"]',
    ):
        assert part in rules


def chaos_rules(target: Target) -> list[str]:
    made = [one for one in admission_policy.manifests(target) if one["metadata"]["name"].startswith("aftershock-chaos.")]
    return [rule["expression"] for one in made for rule in one["spec"].get("validations", [])]


def test_the_page_of_permissions_says_what_it_takes() -> None:
    text = permission_page.page([shipped("serving/replica-partitioned"), shipped("serving/dns-silent")], local_target(), {})
    section = text.partition("## by Chaos Mesh: `serving/replica-partitioned`, besides")[2]
    assert "| the suite's namespace | networkchaos.chaos-mesh.org | create, delete, get |" in section
    assert "dns-silent" not in section
    assert "kube-node-lease" not in section  # the suite itself does nothing on a node
    assert "| the suite's namespace | pods | create" not in section
