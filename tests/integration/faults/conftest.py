"""One fault at a time on the reference platform of the embedded cluster, with everything that a run puts around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from history.plan import ResolvedTarget
from history.writer import EventLog
from kube import permissions
from kube.client import Platform, connect, platform_over, ready
from kube.controllers.wanted import wanted
from kube.devices import healthy as healthy_devices
from safety import active_run, blast_radius, leases
from safety.active_run import ActiveRun
from safety.undo import undo_all
from safety.undo_confirmed import unconfirmed_undos
from safety.undo_journal import list_journals, open_journal
from target.target import Target, load_target
from testing.platform.fake_cluster import ROOT, seeded
from testing.runs.fault_parts import spec
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
    def run(function: Callable[..., Any], use: Target | None = None, **arguments: Any) -> Iterator[ActiveRun]:
        used = platform_over(use, platform.api, platform.clock_offset_s) if use else platform
        run_id = f"test-{uuid4()}"
        targets = preflight(used, function, arguments)
        held = leases.leases_of(used, run_id)
        held.acquire(leases.names_for(targets))
        with held:
            journal = open_journal(used, run_id, "tests/integration/faults", function.__name__)
            plan: Any = SimpleNamespace(run_id=run_id, seed=7, target=SimpleNamespace(name=used.target.name))
            log = EventLog(tmp_path, "test")
            made = ActiveRun(
                plan=plan,
                run_dir=tmp_path,
                platforms={used.region_name: used},
                journal=journal,
                log=log,
                targets={"act": targets},
                activity="act",
            )
            active_run.activate(made)
            try:
                yield made
            finally:
                undo_all(made)
                active_run.activate(None)
                wait_for(lambda: not unconfirmed_undos(used, journal.entries()), "every machine that was switched on has spoken")
                journal.close()
        assert run_id not in {journal.header.run_id for journal in list_journals(used)}

    return run


def preflight(platform: Platform, function: Callable[..., Any], arguments: dict[str, Any]) -> list[ResolvedTarget]:
    targets = spec(function).resolve(platform, arguments, seeded(int(time.time())))
    blast_radius.check(platform, targets)
    permissions.require(platform, [*permissions.suite_permissions(platform), *spec(function).permissions(platform, arguments)])
    return targets
