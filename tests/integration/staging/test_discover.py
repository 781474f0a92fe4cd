"""``python -m runner discover`` on somebody else's cluster: names that say nothing, a namespace with Pod Security, no adapter by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cluster.state import State
from runner.commands.discover import discover
from target.target import load_target
from testing.platform.cluster_driver import ROOT
from testing.platform.staging import SUITE_NAMESPACE, Staging
from testing.platform.strangers.discovered import Discovered, options


@pytest.fixture
def draft(staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Discovered:
    """Return what the cluster's administrator is drafted."""
    monkeypatch.setenv("KUBECONFIG", str(State(staging.cluster.name).kubeconfig))
    file = tmp_path / "drafted.yaml"
    return Discovered(file, discover(options(file, context=staging.all_rights["context"])))


def test_its_platform_is_found_under_its_own_names(draft: Discovered, staging: Staging) -> None:
    by_hand = staging.target
    assert draft.code == 0, draft.text
    for name, container in (("inference", "model"), ("gateway", "haproxy")):
        role, wanted = draft.target.roles[name], by_hand.roles[name]
        assert (role.namespace, role.selector, role.controller) == (wanted.namespace, wanted.selector, wanted.controller)
        assert (role.service, role.container) == (wanted.service, container)
    health = draft.target.roles["inference"].health
    assert health is not None
    assert (health.port, health.path) == (7000, "/healthz")


def test_what_it_is_not_is_not_said(draft: Discovered) -> None:
    """The server has one gauge under vLLM's name, and neither its engine process nor its counters."""
    role = draft.target.roles["inference"]
    assert role.adapter is None
    assert role.metrics.queue == "vllm:num_requests_waiting"
    assert "which process is the engine?" in draft.comments


def test_ways_in_zones_and_consent_are_said(draft: Discovered) -> None:
    region = draft.target.only_region()
    assert region.endpoints["inference"].endswith(":30080")
    assert "Service edge has node port 30080" in draft.comments
    assert region.namespaces == ("acme-models",)
    assert "Pod Security restricted" in draft.above("- acme-models")
    assert {"eu-1: 1 node", "eu-2: 1 node", "eu-3: 1 node"} <= {
        part.strip() for part in draft.above("zone_label:").split(":", 1)[1].split(",")
    }
    assert "decoy: {namespace: acme-models, selector: tier=idle, controller: {kind: Deployment, name: idle}}" in draft.comments


def test_its_prometheus_is_found_and_is_of_this_cluster(draft: Discovered) -> None:
    region = draft.target.only_region()
    assert [(one.namespace, one.selector) for one in region.instruments] == [("acme-metrics", "tier=metrics")]
    answered = region.prometheus is not None and region.prometheus.url.endswith(":30090")
    assert answered or "Through the API server it answers, and has series of pods here" in draft.comments, draft.text


def test_the_suites_own_account_is_told_what_it_may_not_read(staging: Staging, tmp_path: Path) -> None:
    file = tmp_path / "drafted.yaml"
    command = [sys.executable, "-m", "runner", "discover", "--context", staging.target.only_region().context, "--output", str(file)]
    command += ["--namespace", "acme-models"]
    environment = {"KUBECONFIG": str(staging.folder / "kubeconfig"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found = Discovered(file, done.returncode)
    assert found.target.roles["inference"].namespace == "acme-models"
    assert "list services in acme-models: may not be read" in found.comments
    assert "kubectl create clusterrole aftershock-discover" in found.comments
    token = yaml.safe_load((staging.folder / "kubeconfig").read_text())["users"][0]["user"]["token"]
    assert token not in found.text + done.stdout + done.stderr


def test_nothing_there_is_changed_by_it(staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def versions() -> list[str]:
        kinds = "deployments,services,configmaps,secrets,roles,rolebindings,namespaces"
        shown = "{range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}={.metadata.resourceVersion}{'\\n'}{end}"
        return sorted(staging.cluster.kubectl("get", kinds, "-n", "acme-models", "-o", f"jsonpath={shown}").splitlines())

    before = versions()
    monkeypatch.setenv("KUBECONFIG", str(State(staging.cluster.name).kubeconfig))
    file = tmp_path / "drafted.yaml"
    assert discover(options(file, context=staging.all_rights["context"])) == 0
    assert versions() == before
    assert load_target(file).suite.namespace != SUITE_NAMESPACE  # a person says where; nobody can know
