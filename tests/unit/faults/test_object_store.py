"""What is resolved for a store that answers badly, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client

from faults import object_store
from history.errors import ConfigError, TargetRefused
from testing.platform.fake_cluster import FakeCluster, seeded
from testing.runs.fault_parts import spec

ASKED: dict[str, dict[str, Any]] = {
    "refuse_requests": {"role": "inference", "for_s": 25, "percent": 60},
    "delay_requests": {"role": "inference", "for_s": 25, "latency_ms": 400},
    "hide_objects": {"role": "inference", "for_s": 25},
}


def platform() -> Any:
    cluster = FakeCluster()
    for pod in cluster.pods.values():
        pod.spec.containers[0].ports = [client.V1ContainerPort(container_port=7070)]
    return cluster.platform()


@pytest.mark.parametrize("name", ASKED)
def test_it_says_what_happens_how_long_and_who_ends_it(name: str) -> None:
    [target] = spec(getattr(object_store, name)).resolve(platform(), ASKED[name], seeded(7))
    assert "for 25 s" in target.effect
    assert "the kernel and a watchdog on its node end it after 25 s" in target.ends
    assert spec(getattr(object_store, name)).lasts_s(ASKED[name]) == 25
    assert spec(getattr(object_store, name)).tier == "node"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("refuse_requests", {"percent": 0}),
        ("refuse_requests", {"percent": 101}),
        ("refuse_requests", {"percent": "60"}),
        ("refuse_requests", {"percent": True}),
        ("delay_requests", {"latency_ms": 60_001}),
        ("delay_requests", {"latency_ms": 0.4}),
        ("refuse_requests", {"for_s": 0}),
        ("delay_requests", {"for_s": 0}),
        ("hide_objects", {"for_s": 0}),
    ],
)
def test_what_cannot_be_meant_is_refused_by_the_fault_s_own_name(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: {next(iter(wrong))} is "):
        spec(getattr(object_store, name)).resolve(platform(), ASKED[name] | wrong, seeded(7))


def test_a_server_that_names_no_port_is_refused() -> None:
    with pytest.raises(TargetRefused, match="name no port"):
        spec(object_store.hide_objects).resolve(FakeCluster().platform(), ASKED["hide_objects"], seeded(7))
