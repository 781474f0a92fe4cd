"""A cut that only others than the pod's node can see is not begun where the API server reaches no pod anyhow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from kubernetes import client

import faults.network
import faults.pods
from history.errors import TargetRefused
from kube.client import Platform
from kube.health.ways import Way, Ways
from runner.preflight.checks import Fault, Targets
from runner.preflight.outside_view import check_outside
from safety.fault_spec import spec_of
from testing.platform.fake_cluster import FakeCluster, local_target, pod, seeded

ARGUMENTS = {"role": "inference", "for_s": 5}


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    for zone in "abc":
        there = pod(f"inference-{zone}", f"gpu-{zone}")
        there.spec.containers[0].ports = [client.V1ContainerPort(container_port=8000)]
        made.pods["ml-serving", f"inference-{zone}"] = there
    return made


def fault(function: Any) -> Fault:
    spec = spec_of(function)
    assert spec is not None
    return Fault(cast("Any", SimpleNamespace(name="cut")), spec, ARGUMENTS)


def chosen(platform: Platform) -> Targets:
    return {"cut": fault(faults.network.isolate).spec.resolve(platform, ARGUMENTS, seeded(7))}


def test_a_cut_that_nobody_could_confirm_is_refused(cluster: FakeCluster) -> None:
    platform = cluster.platform(local_target())
    targets = chosen(platform)
    assert check_outside([fault(faults.network.isolate)], targets, platform) == []
    cluster.silent |= {f"inference-{zone}:8000" for zone in "abc"}
    with pytest.raises(TargetRefused, match=r"the API server cannot reach inference-. through pods/proxy, so it could never be confirmed"):
        check_outside([fault(faults.network.isolate)], targets, platform)
    assert check_outside([fault(faults.pods.kill)], targets, platform) == []


def test_health_that_is_asked_on_the_pods_own_node_does_not_see_the_cut_and_it_is_said(cluster: FakeCluster) -> None:
    platform = cluster.platform(local_target())
    platform.ways["inference"] = Ways(http=Way.PORT_FORWARD)
    [said] = check_outside([fault(faults.network.isolate)], chosen(platform), platform)
    assert said == (
        "health of role inference is asked through pods/portforward, on the pod's own node: "
        "a replica that is cut off from all others counts as ready"
    )
