"""A pod has started while a fault lasted: one that is new, whose main container runs or ran, by the times that Kubernetes tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import NoData
from history.schema import EventKind
from kube.objects import Pod
from kube.selection import pod_target
from probes import pods
from safety.active_run import ActiveRun
from testing.platform.fake_cluster import FakeCluster, pod
from testing.platform.fake_run import live_run

BEGUN = datetime(2026, 11, 1, 12, 0, 0, 300_000, tzinfo=UTC)
LASTS_S = 40.0


@pytest.fixture
def cluster() -> FakeCluster:
    """Its pods have run for a day."""
    cluster = FakeCluster()
    for each in cluster.pods.values():
        each.metadata.creation_timestamp = BEGUN - timedelta(days=1)
        runs(each, BEGUN - timedelta(days=1))
    return cluster


@pytest.fixture
def run(cluster: FakeCluster, tmp_path: Path) -> ActiveRun:
    hit = pod_target(cluster.pods["ml-serving", "inference-b"], "", "")
    run = live_run(cluster, tmp_path, {"act": [hit]}, timers=SimpleNamespace(fault_s=LASTS_S))
    run.log.event(EventKind.FAULT_START, "act", t_ns=int(BEGUN.timestamp() * 1e9))
    return run


def runs(made: Pod, since: datetime | None) -> None:
    """Let the main container of a pod run since then; None: it waits."""
    [status] = made.status.container_statuses or []
    running = client.V1ContainerStateRunning(started_at=since) if since else None
    waiting = None if since else client.V1ContainerStateWaiting(reason="ContainerCreating")
    status.state = client.V1ContainerState(running=running, waiting=waiting)


def replaced(cluster: FakeCluster, made_s: float, start_s: float | None) -> Pod:
    """Put a new pod in the place of one, made and started so long after the fault began (s), as Kubernetes tells it: whole seconds."""
    new = pod("inference-new", "gpu-b")
    new.metadata.creation_timestamp = told(made_s)
    runs(new, None if start_s is None else told(start_s))
    del cluster.pods["ml-serving", "inference-b"]
    cluster.pods["ml-serving", "inference-new"] = new
    return new


def told(after_s: float) -> datetime:
    return (BEGUN + timedelta(seconds=after_s)).replace(microsecond=0)


@pytest.mark.parametrize(
    ("made_s", "start_s", "seen"),
    [
        pytest.param(2, 4, True, id="made and started meanwhile"),
        pytest.param(0, 1.5, True, id="made at once"),
        pytest.param(0, 0, True, id="in the second of the fault"),  # three tenths before it, by a clock that is known to half a second
        pytest.param(2, None, False, id="its container has not started"),
        pytest.param(2, 41.5, False, id="started after the fault"),
        pytest.param(-60, 4, False, id="an old pod whose container started again"),
        pytest.param(-60, -58, False, id="an old pod"),
        pytest.param(-1, -0.5, False, id="started just before the fault"),
    ],
)
def test_a_new_pod_that_starts_while_the_fault_lasts_is_seen(
    cluster: FakeCluster, run: ActiveRun, made_s: float, start_s: float | None, seen: bool
) -> None:
    assert not pods.started("act", "inference")
    replaced(cluster, made_s, start_s)
    assert pods.started("act", "inference") is seen
    assert not pods.started("act", "gateway")


def test_one_that_started_again_meanwhile_has_started_before(cluster: FakeCluster, run: ActiveRun) -> None:
    [status] = replaced(cluster, 2, 60).status.container_statuses or []
    assert not pods.started("act", "inference")
    ended = client.V1ContainerStateTerminated(exit_code=1, started_at=told(4), finished_at=told(59))
    status.last_state = client.V1ContainerState(terminated=ended)
    assert pods.started("act", "inference")


def test_what_has_no_end_of_its_own_lasts(cluster: FakeCluster, run: ActiveRun) -> None:
    run.plan.timers.fault_s = 0.0  # type: ignore[misc]  # a plain namespace here
    replaced(cluster, 90, 94)
    assert pods.started("act", "inference")


def test_times_are_those_of_the_platforms_clock(cluster: FakeCluster, run: ActiveRun) -> None:
    run.platforms = {name: replace(one, clock_offset_s=-60.0) for name, one in run.platforms.items()}
    replaced(cluster, 2 - 60, 4 - 60)
    assert pods.started("act", "inference")


def test_a_sidecar_is_not_the_container_that_is_meant(cluster: FakeCluster, run: ActiveRun) -> None:
    new, runner = replaced(cluster, 2, None), pod("another")
    runs(runner, told(4))
    [sidecar] = runner.status.container_statuses or []
    sidecar.name = "istio-proxy"
    new.status.container_statuses = [sidecar, *(new.status.container_statuses or [])]
    assert not pods.started("act", "inference")
    new.status.container_statuses[1].state = sidecar.state
    assert pods.started("act", "inference")


def test_before_the_fault_and_without_an_answer_nothing_is_said(
    cluster: FakeCluster, run: ActiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoData, match=r"no event fault\.start of another"):
        pods.started("another", "inference")

    def away(*_: object, **__: object) -> None:
        raise ApiException(status=503, reason="Service Unavailable")

    monkeypatch.setattr(cluster, "list_namespaced_pod", away)
    with pytest.raises(NoData, match=r"look for new pods of role inference: .*503"):
        pods.started("act", "inference")
