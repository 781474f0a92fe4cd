"""Permission tiers, from the faults' own specifications; the published page is what the command prints."""

from __future__ import annotations

import pytest
import yaml

from runner.__main__ import EXPERIMENTS, ROOT
from runner.commands import admission_policy, permission_page, rbac
from runner.experiment.experiment import check_target, read_experiment
from runner.preflight.checks import faults_of
from target.target import load_target
from testing.platform.fake_cluster import local_target

EXAMPLE = ROOT / "targets" / "staging.example.yaml"


def page() -> str:
    return (ROOT / "docs" / "permissions.md").read_text()


def test_an_experiment_has_the_highest_tier_of_its_faults() -> None:
    platform = rbac.offline(local_target())
    found = {
        name: permission_page.tier_of(faults_of(read_experiment(EXPERIMENTS / f"{name}.yaml", EXPERIMENTS), platform))
        for name in ("control/null-control", "serving/replica-killed", "serving/engine-killed", "serving/zone-lost")
    }
    assert list(found.values()) == [None, "namespace", "ephemeral", "node"]


def test_no_tier_asks_for_secrets_or_everything() -> None:
    assert "secrets" not in page().partition("| tier |")[2]
    assert "| * |" not in page()


@pytest.mark.parametrize("what", ["pods", "jobs", "ephemeral-containers"])
def test_where_a_program_runs_is_part_of_its_shape(what: str) -> None:
    """Python looks for modules there first: in another folder, the same words may run another program."""
    policies = [one for one in admission_policy.manifests(local_target()) if one["metadata"]["name"].startswith(f"aftershock-{what}.")]
    expressions = " ".join(rule["expression"] for one in policies for rule in one["spec"].get("validations", []))
    assert "workingDir.orValue('') == \"/opt/aftershock\"" in expressions


def test_the_example_target_carries_the_serving_experiments_and_its_rights_and_policy_can_be_printed() -> None:
    target = load_target(EXAMPLE)
    files = [*EXPERIMENTS.glob("serving/*.yaml"), *EXPERIMENTS.glob("control/*.yaml")]
    experiments = [read_experiment(file, EXPERIMENTS) for file in files]
    for experiment in experiments:
        check_target(experiment, target)
    printed = list(yaml.safe_load_all(rbac.text(rbac.manifests(rbac.least_permissions(experiments, target), target.suite.namespace))))
    assert {one["kind"] for one in printed} == {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
    policies = list(yaml.safe_load_all(rbac.text(admission_policy.manifests(target))))
    assert {one["kind"] for one in policies} == {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert target.suite.fault_image in str(policies[0])
