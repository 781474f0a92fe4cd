"""What must be refused is refused on a real cluster, and Chaos Toolkit's own runner injects nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from history.errors import TargetRefused
from kube import permissions
from kube.client import Platform, connect, platform_over
from kube.connection.bounded_client import BoundedClient
from kube.permissions import Permission
from kube.selection import nodes_hosting, pod_target
from safety import blast_radius
from safety.leases import Leases
from target.target import Target
from testing.platform.fake_cluster import ROOT
from testing.platform.targets import in_region


def test_the_server_must_be_the_target_s_own(target: Target) -> None:
    with pytest.raises(TargetRefused, match=r"leads to .*, the target file allows https://10\.9\.9\.9:6443 only"):
        connect(in_region(target, server="https://10.9.9.9:6443"))


def test_the_clock_of_the_api_server_is_known(platform: Platform) -> None:
    assert abs(platform.clock_offset_s) < 2  # it runs on this machine


def test_system_pods_are_refused(platform: Platform) -> None:
    for pod in platform.core.list_namespaced_pod("kube-system").items:
        with pytest.raises(TargetRefused, match="system namespaces are protected"):
            blast_radius.check(platform, [pod_target(pod, "killed", "")])


def test_the_node_of_an_instrument_is_never_offered(platform: Platform) -> None:
    (prometheus,) = platform.core.list_namespaced_pod("monitoring", label_selector="app=prometheus").items
    assert prometheus.spec
    assert prometheus.spec.node_name not in {node.metadata.name for node in nodes_hosting(platform, "gateway")}


def test_what_an_account_may_not_is_named(platform: Platform) -> None:
    """As the API server answers for an account without any role."""
    wanted = [Permission("delete", "pods", namespace="ml-serving"), Permission("create", "pods/eviction", namespace="ml-serving")]
    permissions.require(platform, [*wanted, *permissions.suite_permissions(platform)])
    api = BoundedClient(platform.api.configuration)
    api.default_headers["Impersonate-User"] = "nobody-at-all"
    nobody = platform_over(platform.target, api)
    assert permissions.missing(nobody, wanted) == wanted
    with pytest.raises(TargetRefused, match="may not delete pods in ml-serving; create pods/eviction in ml-serving; grant these"):
        permissions.require(nobody, wanted)


def test_a_second_run_on_the_same_node_is_refused_by_name(platform: Platform) -> None:
    def leases(holder: str) -> Leases:
        return Leases(platform.coordination, platform.target.suite.namespace, holder, platform.server_time)

    names = ["aftershock-node-nowhere-1", "aftershock-node-nowhere-2"]
    with leases("run-1@here:1") as first:
        first.acquire(names)
        with pytest.raises(TargetRefused, match="held by the run run-1@here:1"):
            leases("run-2@there:2").acquire(names)
        first.renew()
        assert not first.lost
    with leases("run-2@there:2") as second:
        second.acquire(names)


@pytest.mark.parametrize("strategy", ["default", "after-method-only"])
@pytest.mark.parametrize("experiment", ["serving/replica-killed", "serving/node-drained"])
def test_chaos_toolkit_itself_injects_nothing(platform: Platform, target: Target, tmp_path: Path, experiment: str, strategy: str) -> None:
    """With the second strategy the method is executed whatever the hypothesis says."""
    before = snapshot(platform)
    command = [str(Path(sys.executable).parent / "chaos"), "--log-file", str(tmp_path / "log"), "run", "--hypothesis-strategy", strategy]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "KUBECONFIG": str(target.only_region().kubeconfig)}
    file = str(ROOT / f"experiments/{experiment}.yaml")
    done = subprocess.run([*command, file], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert "no live Aftershock run" in said
    assert "pytest -m chaos" in said
    assert snapshot(platform) == before


def snapshot(platform: Platform) -> dict[str, Any]:
    pods = {pod.metadata.uid for role in platform.target.roles for pod in platform.pods(role)}
    return {"pods": pods, "cordoned": [node.metadata.name for node in platform.nodes() if node.spec.unschedulable]}
