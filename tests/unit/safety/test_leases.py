"""Leases: two runs never touch the same thing, a lost lease is noticed, a crashed run's lease expires."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import urllib3
from kubernetes.client.exceptions import ApiException

from history.errors import FaultFailed, TargetRefused
from history.plan import ResolvedTarget
from safety.leases import DURATION_S, Leases, held_by, names_for
from testing.platform.fake_cluster import NOW, FakeCluster


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def leases(cluster: FakeCluster, clock: Clock, holder: str, lost: list[str] | None = None) -> Leases:
    return Leases(cluster, "aftershock", holder, clock, lost.append if lost is not None else None)


def test_one_lease_per_namespace_and_per_node_that_goes_down() -> None:
    targets = [
        ResolvedTarget(kind="Pod", name="p", namespace="ml-serving", node="gpu-c"),
        ResolvedTarget(kind="Node", name="gpu-b", node="gpu-b"),
        ResolvedTarget(kind="Device", name="GPU-1", node="gpu-a"),
    ]
    everybody = ResolvedTarget(kind="ControlPlane", name="controllers")
    assert names_for([everybody]) == names_for([everybody, everybody]) == ["aftershock-control-plane"]
    assert names_for(iter(targets)) == ["aftershock-namespace-ml-serving", "aftershock-node-gpu-a", "aftershock-node-gpu-b"]


def test_a_live_holder_is_named_and_nothing_is_kept() -> None:
    cluster, clock = FakeCluster(), Clock()
    leases(cluster, clock, "run-1@host:7").acquire(["b"])
    clock.move(4)
    second = leases(cluster, clock, "run-2@host:8")
    with pytest.raises(TargetRefused, match=r"lease b: held by the run run-1@host:7, renewed 4 s ago"):
        second.acquire(["a", "b", "c"])
    assert sorted(cluster.leases) == ["b"]
    assert cluster.leases["b"].spec.holder_identity == "run-1@host:7"


def test_disjoint_runs_go_on_side_by_side() -> None:
    cluster, clock = FakeCluster(), Clock()
    leases(cluster, clock, "one").acquire(["a"])
    leases(cluster, clock, "two").acquire(["b"])
    assert sorted(cluster.leases) == ["a", "b"]


def test_an_expired_lease_is_taken_over_and_its_old_holder_notices() -> None:
    cluster, clock, lost = FakeCluster(), Clock(), list[str]()
    first = leases(cluster, clock, "run-1", lost)
    first.acquire(["a"])
    clock.move(DURATION_S + 1)
    leases(cluster, clock, "run-2").acquire(["a"])
    first.renew()
    first.renew()
    assert lost == ["lease a is no longer ours; it is held by run-2"]
    assert first.lost == lost[0]
    first.release()
    assert cluster.leases["a"].spec.holder_identity == "run-2"


def test_renewal_keeps_it() -> None:
    cluster, clock = FakeCluster(), Clock()
    first = leases(cluster, clock, "run-1")
    first.acquire(["a"])
    for _ in range(4):
        clock.move(DURATION_S - 1)
        first.renew()
    with pytest.raises(TargetRefused, match="run-1"):
        leases(cluster, clock, "run-2").acquire(["a"])
    assert not first.lost


def test_a_label_set_by_others_does_not_lose_it() -> None:
    cluster, clock = FakeCluster(), Clock()
    first = leases(cluster, clock, "run-1")
    first.acquire(["a"])
    seen = cluster.read_namespaced_lease("a", "aftershock")
    seen.metadata.labels["seen"] = "yes"
    cluster.replace_namespaced_lease("a", "aftershock", seen)
    first.renew()
    clock.move(DURATION_S - 1)
    first.renew()
    assert not first.lost
    assert held_by(cluster.leases["a"], clock.now).age_s == pytest.approx(0, abs=1e-3)


def test_a_deleted_lease_is_noticed() -> None:
    cluster, clock, lost = FakeCluster(), Clock(), list[str]()
    first = leases(cluster, clock, "run-1", lost)
    first.acquire(["a"])
    cluster.leases.clear()
    first.renew()
    assert lost == ["lease a is no longer ours; it is held by nobody: it was deleted"]


def test_an_api_server_that_is_away_too_long_loses_it() -> None:
    cluster, clock, lost = FakeCluster(), Clock(), list[str]()
    first = leases(cluster, clock, "run-1", lost)
    first.acquire(["a"])

    def away() -> None:
        raise ApiException(status=503)

    cluster.conflicts = [away, away]
    clock.move(DURATION_S - 1)
    first.renew()
    assert not lost
    clock.move(2)
    first.renew()
    assert lost == [f"lease a could not be renewed for {DURATION_S} s: the API server answered 503 None; see the API server's log"]


def test_release_leaves_nothing() -> None:
    cluster, clock = FakeCluster(), Clock()
    with leases(cluster, clock, "run-1") as held:
        held.acquire(["a", "b"])
    assert not cluster.leases


def test_times_always_carry_a_fraction() -> None:
    """The client would leave out zero microseconds, and the API server refuses that."""
    cluster, clock = FakeCluster(), Clock()
    assert clock.now.microsecond == 0
    leases(cluster, clock, "run-1").acquire(["a"])
    assert cluster.leases["a"].spec.renew_time.isoformat().partition("+")[0].endswith(".000001")


class Away(FakeCluster):
    """A cluster whose API server can be away."""

    away = False

    def replace_namespaced_lease(self, name: str, namespace: str, body: Any) -> Any:
        if self.away:
            raise urllib3.exceptions.NewConnectionError(None, "refused")  # type: ignore[arg-type]  # of no connection
        return super().replace_namespaced_lease(name, namespace, body)


def test_an_absence_that_was_said_before_loses_no_lease_and_gives_it_to_nobody() -> None:
    cluster, clock, lost = Away(), Clock(), list[str]()
    first = leases(cluster, clock, "run-1", lost)
    first.acquire(["a"])
    first.expect_absence(60)
    cluster.away = True
    for _ in range(7):
        clock.move(10)
        first.renew()
    assert not lost
    cluster.away = False
    with pytest.raises(TargetRefused, match="held by the run run-1, renewed 70 s ago"):
        leases(cluster, clock, "run-2").acquire(["a"])
    first.renew()
    assert cluster.leases["a"].spec.lease_duration_seconds == DURATION_S, "as short as ever, once it is over"


def test_an_absence_that_lasts_longer_than_was_said_loses_it() -> None:
    cluster, clock, lost = Away(), Clock(), list[str]()
    first = leases(cluster, clock, "run-1", lost)
    first.acquire(["a"])
    first.expect_absence(60)
    cluster.away = True
    clock.move(60 + DURATION_S + 1)
    first.renew()
    assert lost
    assert lost[0].startswith("lease a could not be renewed for 75 s: no answer from the API server")


def test_an_absence_that_nobody_said_before_loses_it_as_soon_as_ever() -> None:
    cluster, clock, lost = Away(), Clock(), list[str]()
    first = leases(cluster, clock, "run-1", lost)
    first.acquire(["a"])
    cluster.away = True
    clock.move(DURATION_S + 1)
    first.renew()
    assert lost
    assert lost[0].startswith("lease a could not be renewed for 15 s")


def test_an_absence_that_no_lease_can_say_lets_no_fault_act() -> None:
    cluster, clock = Away(), Clock()
    first = leases(cluster, clock, "run-1")
    first.acquire(["a"])
    cluster.away = True
    with pytest.raises(FaultFailed, match="let the run's leases outlast the API server's absence"):
        first.expect_absence(60)


def test_a_lease_that_was_taken_meanwhile_is_lost_all_the_same() -> None:
    cluster, clock, lost = Away(), Clock(), list[str]()
    first = leases(cluster, clock, "run-1", lost)
    first.acquire(["a"])
    first.expect_absence(60)
    clock.move(60 + DURATION_S + 1)
    leases(cluster, clock, "run-2").acquire(["a"])
    first.renew()
    assert lost == ["lease a is no longer ours; it is held by run-2"]
