"""The shipped experiments on somebody else's cluster: through a target file, with the printed rights and nothing else."""

from __future__ import annotations

import json

import pytest

from runner.cleanup.cleanup import clean_up
from runner.cleanup.leftovers import find_leftovers
from testing.platform.staging import ACCOUNT, SUITE_NAMESPACE, Staging
from testing.runs.real_sessions import Suite
from testing.waiting import wait_for


@pytest.mark.quiet
def test_the_smoke_experiments_pass_there_unchanged(staging: Staging, suite: Suite) -> None:
    code, session = suite.run("-k", "replica-killed or sham-control", target=staging.target_file)
    assert code == 0, session.said
    assert "2 passed" in session.said
    for run in (session.out / "runs").iterdir():
        plan = json.loads((run / "plan.json").read_text())
        assert plan["target"]["name"] == "acme-staging"
        assert not (run / "scene" / "missing.txt").exists(), (run / "scene" / "missing.txt").read_text()
        assert "Forbidden" not in (run / "child.log").read_text()
    platform = staging.connect()
    left = find_leftovers(platform)
    assert (left.journals, left.leases, left.cordons, left.residues) == ((), (), {}, ())
    assert not clean_up(platform).failed
    wait_for(lambda: not staging.unavailable(), "the platform of the staging cluster is as before")


def test_the_account_may_do_what_was_printed_and_nothing_else(staging: Staging) -> None:
    who = f"--as=system:serviceaccount:{SUITE_NAMESPACE}:{ACCOUNT}"
    asked = {
        ("delete", "pods", "acme-models"): True,
        ("delete", "pods", "acme-metrics"): False,
        ("delete", "pods", "kube-system"): False,
        ("create", "pods", "acme-models"): False,
        ("get", "secrets", "acme-models"): False,
        ("list", "pods", "kube-system"): False,
        ("patch", "nodes", "default"): False,
        ("delete", "deployments.apps", "acme-models"): False,
    }
    for (verb, resource, namespace), expected in asked.items():
        done = staging.cluster.run("kubectl", "auth", "can-i", verb, resource, "-n", namespace, who, expect=0 if expected else 1)
        assert expected == (done.strip() == "yes"), (verb, resource, namespace)
