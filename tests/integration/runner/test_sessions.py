"""Sessions that go their way, and sessions that are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml
from chaoslib.experiment import ensure_experiment_is_valid

from history.reader import read_run
from history.result import Verdict
from history.schema import EventKind, Series
from kube.client import Platform
from runner.cleanup.leftovers import find_leftovers
from runner.preflight.platform_health import complaints, look
from testing.platform.fake_cluster import ROOT
from testing.runs.real_sessions import LOCAL, Suite
from testing.waiting import wait_for

REFUSED, INCONCLUSIVE = 11, 10


@pytest.mark.quiet
def test_a_null_control_passes_and_a_second_session_is_refused_meanwhile(suite: Suite, platform: Platform) -> None:
    first = suite.start("-k", "null-control", "--chaos-profile=smoke").until(EventKind.LOAD_START)
    code, second = suite.run("-k", "null-control")
    assert code == REFUSED
    assert f"another session here (process {first.process.pid})" in second.said
    # another machine has no such lock, but finds the lease: here a child process of its own stands for it
    request = json.loads(next(iter(first_command(first.process.pid))))
    other = request | {"run_id": "elsewhere", "run_dir": str(suite.folder / "elsewhere")}
    elsewhere = subprocess.run(
        [sys.executable, "-m", "runner.run.child", json.dumps(other)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert elsewhere.returncode == REFUSED
    assert f"held by the run {request['run_id']}@" in elsewhere.stdout
    assert first.end() == 0, first.said
    assert first.verdict.verdict is Verdict.PASS
    assert (first.out / "latest" / "index.html").exists()
    journal = json.loads((first.run_dir / "journal.json").read_text())
    ensure_experiment_is_valid(journal["experiment"])
    assert (journal["status"], journal["deviated"]) == ("completed", False)
    left = find_leftovers(platform)
    assert not left.journals
    assert not left.active


def first_command(pid: int) -> list[str]:
    """Return the request with which the session ``pid`` started its child."""
    children = subprocess.run(
        ["pgrep", "-P", str(pid), "-f", "runner.run.child"], capture_output=True, text=True, check=True
    ).stdout.split()
    with open(f"/proc/{children[0]}/cmdline") as file:  # noqa: PTH123 - a file of the kernel
        return file.read().split("\0")[3:4]


def test_a_fault_without_effect_is_inconclusive(suite: Suite) -> None:
    parts = "testing.runs.runner_parts"
    provider = {"type": "python", "module": parts, "func": "kill", "arguments": {"role": "inference"}}
    suite.experiment("serving/replica-killed", method=[{"type": "action", "name": "kill-replica", "provider": provider}])
    code, session = suite.run(own=True)
    assert code == INCONCLUSIVE, session.said
    assert "the fault is not proven: after 30 s still replica-gone: False" in session.said
    assert any("replica-gone never saw it" in check.sentence for check in session.verdict.checks)
    assert session.events(EventKind.FAULT_START)
    assert not session.events(EventKind.FAULT_CONFIRMED)


@pytest.mark.quiet
def test_the_platform_is_watched_while_a_replica_dies(suite: Suite) -> None:
    code, session = suite.run("-k", "replica-killed", "--chaos-seed=1", "--chaos-profile=smoke")
    assert code == 0, session.said
    run = read_run(session.run_dir)
    kinds = set(run.events["kind"])
    assert {"pod.gone", "pod.created", "pod.scheduled", "pod.started", "pod.ready", "endpoint.out", "endpoint.in", "kube.event"} <= kinds
    assert {Series.HEALTH, Series.READY_REPLICAS, Series.QUEUE_DEPTH, Series.IN_FLIGHT} <= set(run.samples["series"])
    assert not {"instrument.down", "stopped"} & kinds
    assert list((session.run_dir / "scene").glob("*.log"))


# refused


def test_a_context_that_leads_to_another_server_is_refused(suite: Suite) -> None:
    code, session = suite.run("-k", "null-control", target=suite.target(server="https://10.99.0.1:6443"))
    assert code == REFUSED
    assert "leads to https://10.89.0.1:6443, the target file allows https://10.99.0.1:6443 only" in session.said


def test_a_selector_that_matches_nothing_is_refused(suite: Suite) -> None:
    roles = yaml.safe_load(LOCAL.read_text())["roles"]
    roles["decoy"] |= {"selector": "app=nobody"}
    code, session = suite.run("-k", "sham-control", target=suite.target(roles=roles))
    assert code == REFUSED
    assert "role decoy has 0 of 2 replicas ready" in session.said


@contextmanager
def a_rollout_that_never_ends(platform: Platform) -> Iterator[None]:
    """Give the decoy's next pod a node that does not exist: one pod stays pending for as long as the block lasts."""
    role = platform.target.role("decoy")

    def on_node(name: str | None) -> None:
        body = {"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": name}}}}}
        platform.apps.patch_namespaced_deployment("decoy", role.namespace, body)

    on_node("nowhere")
    try:
        yield
    finally:
        on_node(None)
        wait_for(lambda: not complaints(platform, look(platform)), "the platform is healthy again")


def test_an_unhealthy_platform_is_refused(suite: Suite, platform: Platform) -> None:
    with a_rollout_that_never_ends(platform):
        code, session = suite.run("-k", "replica-killed")
    assert code == REFUSED, session.said
    assert "target local is not healthy" in session.said
    assert "a rollout of deployment decoy is in flight" in session.said


@pytest.mark.timeout(1800)
def test_a_dry_run_touches_nothing(suite: Suite, platform: Platform) -> None:
    before = {pod.metadata.uid for role in platform.target.roles for pod in platform.pods(role)}
    code, session = suite.run("--chaos-dry-run")
    assert code == 0, session.said
    assert "permissions:" in session.said
    assert {pod.metadata.uid for role in platform.target.roles for pod in platform.pods(role)} == before
