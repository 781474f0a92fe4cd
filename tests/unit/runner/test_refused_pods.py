"""Faults that refuse new pods around a run: where they are skipped, and that they leave other runs of the cluster at work."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.admission import refuse_by_quota, refuse_by_webhook
from faults.control_plane import stop_controllers
from runner.commands import admission_policy
from runner.experiment.absence import why_skipped
from runner.experiment.experiment import Experiment, read_experiment
from runner.preflight.lease_queue import control_plane_of
from target.target import load_target
from testing.platform.fake_cluster import ROOT, local_target
from testing.runs.fault_parts import spec

SHIPPED = ROOT / "experiments"
WEBHOOK, QUOTA = "serving/webhook-down", "serving/no-room"
STRANGERS = local_target(context="staging-eu", control_plane=None)


def read(name: str) -> Experiment:
    return read_experiment(SHIPPED / f"{name}.yaml", SHIPPED)


@pytest.mark.parametrize("name", [WEBHOOK, QUOTA])
def test_the_embedded_cluster_needs_no_leave(name: str) -> None:
    assert why_skipped(read(name), local_target()) == ""
    assert why_skipped(read(name), local_target(control_plane=None)) == ""


def test_an_object_of_a_strangers_cluster_needs_leave_and_a_quota_none(tmp_path: Path) -> None:
    said = why_skipped(read(WEBHOOK), STRANGERS)
    assert said.startswith("refuse_by_webhook makes an object of the whole cluster of region default; to test this here, copy")
    assert "allow: {cluster_wide: true}" in said
    assert said == why_skipped(read(WEBHOOK), local_target(shared_machine=None)), "a context's name is not enough"
    assert "object of the whole cluster" in why_skipped(read(WEBHOOK), load_target(ROOT / "targets" / "staging.example.yaml"))
    assert why_skipped(read(QUOTA), STRANGERS) == ""
    file = tmp_path / "own" / "copied.yaml"
    file.parent.mkdir()
    text = (SHIPPED / f"{WEBHOOK}.yaml").read_text()
    file.write_text(text.replace("    evidence:", "    allow: {cluster_wide: true}\n    evidence:"))
    assert why_skipped(read_experiment(file, tmp_path), STRANGERS) == ""


def test_other_runs_stay_at_work() -> None:
    assert control_plane_of([spec(stop_controllers)])
    assert not control_plane_of([spec(refuse_by_webhook), spec(refuse_by_quota)])


def test_the_policy_lets_the_suite_ask_about_a_pod_and_make_none() -> None:
    made = [one for one in admission_policy.manifests(local_target()) if one["kind"] == "ValidatingAdmissionPolicy"]
    rules = {one["metadata"]["name"]: one["spec"]["validations"] for one in made}
    pods = [rule["expression"] for rule in rules["aftershock-pods.aftershock"]]
    assert all(rule.startswith("(has(request.dryRun) && request.dryRun && ") for rule in pods)
    [alone] = [rule["expression"] for rule in rules["aftershock-quotas.aftershock"] if "alone" in rule["message"]]
    assert "object.spec.hard.size() == 1" in alone
