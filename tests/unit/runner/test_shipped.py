"""What is shipped for other people's clusters can be read by those who will read it: target files, kubeconfig, CronJob, workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.client import checked_configuration
from runner.__main__ import ROOT
from target.target import load_target
from testing.platform.targets import in_region

IN_CLUSTER = ROOT / "targets" / "in-cluster"
WORKFLOW = ROOT / ".github" / "workflows" / "nightly.yml"


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


@pytest.mark.parametrize("file", sorted((ROOT / "targets").rglob("*target.yaml")) + sorted((ROOT / "targets").glob("*.yaml")), ids=str)
def test_every_target_file_loads(file: Path) -> None:
    assert load_target(file).workloads


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
    assert suite["command"][1:4] == ["-m", "pytest", "-p"]
    assert job["template"]["spec"]["terminationGracePeriodSeconds"] >= 120
    assert [one["name"] for one in job["template"]["spec"]["initContainers"]] == ["heal"]
    for one in (suite, *job["template"]["spec"]["initContainers"]):  # Pod Security "restricted"
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not one["securityContext"]["allowPrivilegeEscalation"]


def test_the_workflow_is_never_cancelled_and_always_heals_and_reports() -> None:
    workflow = read(WORKFLOW)
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}  # YAML reads the key "on" as a truth value
    steps = {step.get("name"): step for step in workflow["jobs"]["chaos"]["steps"]}
    for name in ("Heal", "Summary", "Report"):
        assert "always()" in steps[name]["if"]
    assert "runner heal" in steps["Heal"]["run"]
    assert "summary.md" in steps["Summary"]["run"]
    assert "GITHUB_STEP_SUMMARY" in steps["Summary"]["run"]
    assert steps["Report"]["uses"].startswith("actions/upload-artifact@")
    assert steps["Report"]["with"]["path"] == "reports/out"
    names = list(steps)
    assert names.index("Experiments") < names.index("Heal") < names.index("Embedded cluster down")
