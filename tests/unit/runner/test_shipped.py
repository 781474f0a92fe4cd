"""What is shipped for other people's clusters can be read by those who will read it: target files, kubeconfig, CronJob, workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.client import checked_configuration
from runner.__main__ import ROOT
from runner.drivers.choice import read_target
from target.target import load_target
from testing.platform.targets import in_region

IN_CLUSTER = ROOT / "targets" / "in-cluster"
WORKFLOW = ROOT / ".github" / "workflows" / "nightly.yml"


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


@pytest.mark.parametrize("file", sorted((ROOT / "targets").rglob("*target.yaml")) + sorted((ROOT / "targets").glob("*.yaml")), ids=str)
def test_every_target_file_loads(file: Path) -> None:
    assert read_target(file).workloads


def test_the_kubeconfig_inside_the_cluster_holds_no_secret_and_leads_where_its_target_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = read(IN_CLUSTER / "kubeconfig")
    assert raw["users"] == [{"name": "aftershock", "user": {"tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}}]
    for name, text in (("token", "t"), ("ca.crt", "c")):  # what the kubelet puts there
        (tmp_path / name).write_text(text)
    placed = (IN_CLUSTER / "kubeconfig").read_text().replace("/var/run/secrets/kubernetes.io/serviceaccount", str(tmp_path))
    (tmp_path / "kubeconfig").write_text(placed)
    target = in_region(load_target(IN_CLUSTER / "target.yaml"), kubeconfig=str(tmp_path / "kubeconfig"))
    assert checked_configuration(target, "default").host == target.only_region().server


def test_the_cron_job_never_overlaps_never_tries_again_and_hears_sigterm() -> None:
    spec = read(IN_CLUSTER / "cronjob.yaml")["spec"]
    job = spec["jobTemplate"]["spec"]
    [suite] = job["template"]["spec"]["containers"]
    assert (spec["concurrencyPolicy"], job["backoffLimit"], job["template"]["spec"]["restartPolicy"]) == ("Forbid", 0, "Never")
    assert suite["command"] == ["make", "nightly"]
    assert "args" not in suite
    assert "initContainers" not in job["template"]["spec"], "a night heals before it begins"
    assert job["template"]["spec"]["terminationGracePeriodSeconds"] >= 120
    assert suite["securityContext"]["capabilities"] == {"drop": ["ALL"]}  # Pod Security "restricted"
    assert not suite["securityContext"]["allowPrivilegeEscalation"]


def test_the_workflow_is_a_night_that_is_never_cancelled_and_always_reports() -> None:
    workflow = read(WORKFLOW)
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}  # YAML reads the key "on" as a truth value
    steps = {step.get("name"): step for step in workflow["jobs"]["chaos"]["steps"]}
    assert steps["Night"]["run"].splitlines()[-1] == '"${root[@]}" make nightly'
    assert "pytest" not in WORKFLOW.read_text().replace("pytest -k expression", "")
    assert (steps["Heal a night that was cut off"]["if"], "make heal" in steps["Heal a night that was cut off"]["run"]) == (
        "cancelled()",
        True,
    )
    assert workflow["jobs"]["chaos"]["env"]["CHAOS_ARGS"] == "--chaos-github"  # the summary of the step, and annotations
    assert steps["Report"]["if"] == "always()"
    assert steps["Report"]["uses"].startswith("actions/upload-artifact@")
    assert steps["Report"]["with"]["path"] == "reports/out"
