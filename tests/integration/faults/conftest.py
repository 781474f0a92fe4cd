"""One fault at a time on the reference platform of the embedded cluster, with everything that a run puts around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kube.client import Platform, connect, platform_over, ready
from kube.controllers.wanted import wanted
from kube.devices import healthy as healthy_devices
from safety.active_run import ActiveRun
from target.allow import Allow
from target.target import Target, load_target
from testing.platform.fake_cluster import ROOT
from testing.runs.single_fault import single_fault
from testing.waiting import wait_for


@pytest.fixture(scope="session")
def target() -> Target:
    return load_target(ROOT / "targets/local.yaml")


@pytest.fixture(scope="session")
def platform(target: Target) -> Platform:
    return connect(target)


def well(platform: Platform) -> bool:
    """Tell whether every role has exactly its replicas, all ready, and every node is ready, schedulable and has all its devices.

    Pods that failed do not count: a node that comes back refuses the GPU pods that it had, and Kubernetes keeps their records.
    """
    for role, found in platform.target.roles.items():
        if found.of_run or (want := wanted(platform, found)) is None:  # ranks of a training job, what is not deployed: not hit here
            continue
        pods = [pod for pod in platform.pods(role) if pod.status.phase not in {"Failed", "Succeeded"}]
        if len(pods) != want or not all(ready(pod) for pod in pods):
            return False
    return all(_as_new(node, platform.region.gpu_resource) for node in platform.nodes())


def _as_new(node: Any, gpu_resource: str) -> bool:
    allocatable, total = healthy_devices(node, gpu_resource)
    return ready(node) and not node.spec.unschedulable and allocatable == total


@pytest.fixture(autouse=True)
def healthy(platform: Platform) -> Iterator[None]:
    """Start from a well platform and leave nothing behind."""
    wait_for(lambda: well(platform), "the reference platform is well")
    yield
    wait_for(lambda: well(platform), "the reference platform is well again")


@pytest.fixture
def running(platform: Platform, tmp_path: Path) -> Callable[..., Any]:
    """Return a context manager: preflight of one fault, then its live run; everything left is undone at the end."""

    @contextmanager
    def run(function: Callable[..., Any], use: Target | None = None, allow: Allow | None = None, **arguments: Any) -> Iterator[ActiveRun]:
        used = platform_over(use, platform.api, platform.clock_offset_s) if use else platform
        with single_fault(used, function, tmp_path, arguments, allow=allow) as made:
            yield made

    return run
