"""After a power cut Kubernetes shows the past for a while; that is not taken for the present."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from kubernetes import client

from kube.client import Platform
from kube.control_plane import LEADERS
from safety.undo_confirmed import unconfirmed_undos
from safety.undo_journal import Undo, UndoKind
from testing.platform.fake_cluster import NOW, FakeCluster


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    shown(made, renewed_s=-5, started_s=-600)
    return made


def shown(cluster: FakeCluster, *, renewed_s: float, started_s: float) -> None:
    """Let Kubernetes show gpu-a's lease and its pod as of so many seconds after the power cut."""
    cluster.leases["gpu-a"] = SimpleNamespace(spec=SimpleNamespace(renew_time=NOW + timedelta(seconds=renewed_s)))
    running = client.V1ContainerStateRunning(started_at=NOW + timedelta(seconds=started_s))
    cluster.pods[("ml-serving", "inference-a")].status.container_statuses[0].state = client.V1ContainerState(running=running)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds after the power cut that the API server's clock shows."""
    at = [10.0]
    monkeypatch.setattr(Platform, "server_time", lambda _: NOW + timedelta(seconds=at[0]))
    return at


def entry(kind: UndoKind = UndoKind.POWER_ON, detail: str = NOW.isoformat()) -> Undo:
    return Undo(kind=kind, activity="off", object="gpu-a", detail=detail, ends_by_ns=0, done=True)


def test_a_machine_that_has_not_spoken_is_not_back(cluster: FakeCluster) -> None:
    assert unconfirmed_undos(cluster.platform(), [entry()]) == ["node gpu-a: its kubelet has not spoken since its power was cut"]


def leading(cluster: FakeCluster, **renewed_s: float) -> None:
    """Let controller manager and scheduler have renewed their Leases so many seconds after the stop."""
    for name in LEADERS:
        spec = client.V1LeaseSpec(holder_identity="it", renew_time=NOW + timedelta(seconds=renewed_s.get(name.rpartition("-")[2], 20.0)))
        cluster.leases[name] = SimpleNamespace(metadata=client.V1ObjectMeta(name=name), spec=spec)


def test_controllers_are_back_when_they_renew_their_leases_and_old_renewals_do_not_count(cluster: FakeCluster) -> None:
    stopped = [entry(UndoKind.START_CONTROL_PLANE)]
    leading(cluster, scheduler=1)
    [said] = unconfirmed_undos(cluster.platform(), stopped)
    assert said == "kube-scheduler: it has not renewed its Lease in kube-system since the control plane was stopped"
    leading(cluster)
    assert unconfirmed_undos(cluster.platform(), stopped) == []


def test_a_pod_that_is_shown_as_before_is_not_back(cluster: FakeCluster) -> None:
    shown(cluster, renewed_s=9, started_s=-600)
    assert unconfirmed_undos(cluster.platform(), [entry()]) == ["pod ml-serving/inference-a: still shown as before the power cut"]


def test_a_last_renewal_while_the_power_goes_is_no_return(cluster: FakeCluster) -> None:
    shown(cluster, renewed_s=0.3, started_s=-600)
    assert unconfirmed_undos(cluster.platform(), [entry()]) == ["node gpu-a: its kubelet has not spoken since its power was cut"]


def test_a_machine_that_was_never_without_power_settles(cluster: FakeCluster, clock: list[float]) -> None:
    shown(cluster, renewed_s=9, started_s=-600)
    clock[0] = 16
    assert unconfirmed_undos(cluster.platform(), [entry()]) == []


def test_a_pod_that_was_started_again_is_back(cluster: FakeCluster) -> None:
    shown(cluster, renewed_s=9, started_s=8)
    assert unconfirmed_undos(cluster.platform(), [entry()]) == []


def test_a_pod_that_ended_is_no_past(cluster: FakeCluster) -> None:
    shown(cluster, renewed_s=9, started_s=8)
    ended = client.V1ContainerStateTerminated(exit_code=255)
    cluster.pods[("ml-serving", "inference-a")].status.container_statuses[0].state = client.V1ContainerState(terminated=ended)
    assert unconfirmed_undos(cluster.platform(), [entry()]) == []


def test_other_undos_settle_at_once(cluster: FakeCluster) -> None:
    assert unconfirmed_undos(cluster.platform(), [entry(UndoKind.UNCORDON, "run-1"), entry(detail="")]) == []
