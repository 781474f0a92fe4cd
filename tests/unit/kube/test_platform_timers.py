"""The platform's own timers, as they are read from what is live."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client

from history.errors import TargetRefused
from runner.drivers.platform_timers import (
    LOAD_S,
    START_S,
    UNCHECKED,
    Checks,
    entry_checks,
    haproxy_checks,
    load_s,
    probe_checks,
    read_timers,
    start_s,
    toleration_s,
)
from target.target import load_target
from testing.platform.fake_cluster import NOW, ROOT, FakeCluster

HAPROXY = (ROOT / "workloads/manifests/base/haproxy.cfg").read_text()


def test_the_gateways_checks_are_read_from_its_configuration() -> None:
    checks = haproxy_checks(HAPROXY)
    assert checks == Checks(interval_s=0.5, again_s=0.2, fall=2, timeout_s=1.0, retries=True, least_open=True, connect_s=0.5)
    assert checks.refused_s == pytest.approx(0.7)
    assert checks.silent_s == pytest.approx(1.7)


def test_users_inside_the_cluster_have_no_balancer_in_front_that_asks_the_gateways(tmp_path: Path) -> None:
    outside = (ROOT / "targets/local.yaml").read_text()
    inside = tmp_path / "inside.yaml"
    inside.write_text(outside.replace("      arrivals: poisson", "      arrivals: poisson\n      workers_as: pods"))
    assert entry_checks(load_target(ROOT / "targets/local.yaml"), "inference") == Checks(0.5, 0.5, 2, 0.5)
    assert entry_checks(load_target(inside), "inference") is UNCHECKED
    assert UNCHECKED.silent_mean_s == float("inf")


@pytest.mark.parametrize(
    ("config", "checks"),
    [
        ("backend b\n  server s 10.0.0.1:80\n", None),
        ("backend b\n  server s 10.0.0.1:80 check\n", Checks(2, 2, 3, 2, connect_s=2)),
        ("  timeout check 300\nbackend b\n  server s 10.0.0.1:80 check inter 1500 fall 5\n", Checks(1.5, 1.5, 5, 0.3, connect_s=1.5)),
    ],
)
def test_haproxys_defaults(config: str, checks: Checks | None) -> None:
    assert haproxy_checks(config) == checks


def test_probes_and_tolerations_of_pods() -> None:
    probe = SimpleNamespace(period_seconds=1, failure_threshold=None, timeout_seconds=2)
    assert probe_checks(probe) == Checks(1, 1, 3, 2)
    assert probe_checks(None) is None

    def pod_with(*tolerations: tuple[str, int | None]) -> Any:
        made = [SimpleNamespace(key=key, effect="NoExecute", toleration_seconds=seconds) for key, seconds in tolerations]
        return SimpleNamespace(spec=SimpleNamespace(tolerations=made))

    assert toleration_s(pod_with(("node.kubernetes.io/unreachable", 20))) == 20
    assert toleration_s(pod_with(("node.kubernetes.io/unreachable", None))) == float("inf")
    assert toleration_s(pod_with()) == 300


def started(running_after_s: float, ready_after_s: float, restarts: int = 0) -> Any:
    conditions = [
        SimpleNamespace(type=kind, status="True", last_transition_time=NOW + timedelta(seconds=after))
        for kind, after in (("PodScheduled", 0), ("Ready", ready_after_s))
    ]
    running = SimpleNamespace(running=SimpleNamespace(started_at=NOW + timedelta(seconds=running_after_s)))
    status = SimpleNamespace(restart_count=restarts, state=running)
    return SimpleNamespace(status=SimpleNamespace(conditions=conditions, container_statuses=[status]))


def test_a_start_is_what_replicas_took_that_were_not_restarted() -> None:
    assert start_s([started(1, 10), started(2, 14), started(800, 900, restarts=1), started(2, 12)]) == 2
    assert start_s([started(800, 900, restarts=1)]) == START_S


def test_a_load_is_what_replicas_took_that_loaded_alone() -> None:
    together = [started(1, 19), started(2, 20), started(2, 21)]
    assert load_s([*together, started(100, 107)]) == 7
    assert load_s(together) == 18
    assert load_s([*together, started(100, 107), started(200, 205, restarts=1), started(300, 306)]) == 6
    assert load_s([]) == LOAD_S


def test_a_return_to_readiness_is_no_load() -> None:
    assert load_s([started(1, 600), started(700, 707)]) == 7  # cut off or frozen for a while: its container has run since long ago


class Configured(FakeCluster):
    """A cluster whose gateway has its configuration, and whose controller manager shows its flags."""

    flags: tuple[str, ...] = ()

    def list_namespaced_pod(self, namespace: str, label_selector: str = "") -> Any:
        if namespace == "kube-system":
            container = SimpleNamespace(command=list(self.flags), args=None)
            return SimpleNamespace(items=[SimpleNamespace(spec=SimpleNamespace(containers=[container]))])
        found = super().list_namespaced_pod(namespace, label_selector)
        for one in found.items:
            one.spec.volumes = [client.V1Volume(name="config", config_map=client.V1ConfigMapVolumeSource(name="gateway"))]
        return found

    def read_namespaced_config_map(self, *_: str) -> Any:
        return SimpleNamespace(data={"entrypoint.sh": "exec haproxy", "haproxy.cfg": HAPROXY})


def test_timers_are_read_from_what_is_live() -> None:
    cluster = Configured()
    assert read_timers(cluster.platform(), "inference").node_monitor_s == 50
    cluster.flags = ("kube-controller-manager", "--node-monitor-grace-period=16s")
    timers = read_timers(cluster.platform(), "inference")
    assert timers.node_monitor_s == 16
    assert timers.balancer is not None
    assert timers.balancer.retries
    assert timers.demand is not None
    assert (timers.demand.rate_rps, timers.demand.gateways) == (20, len(cluster.platform().pods("gateway")))


def test_a_role_without_pods_has_no_timers() -> None:
    cluster = Configured()
    cluster.pods.clear()
    with pytest.raises(TargetRefused, match="it has no pod"):
        read_timers(cluster.platform(), "inference")
