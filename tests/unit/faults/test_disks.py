"""What is resolved for a volume that is to take nothing any more, be full, fail or be slow, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client

from faults import disks
from history.errors import ConfigError, TargetRefused
from testing.platform.fake_cluster import FakeCluster, seeded
from testing.runs.fault_parts import spec

ASKED = {"role": "inference", "volume": "data", "for_s": 30}
CASES = [
    (disks.make_read_only, {}, "/data is read-only for 30 s"),
    (disks.fill_disk, {}, "/data is full for 30 s"),
    (disks.fill_disk, {"folder": "a/b"}, "/data/a/b is full for 30 s"),
    (disks.fail_disk, {"percent": 30}, "/data fails 30 % of reads, writes and syncs for 30 s"),
    (disks.slow_disk, {"latency_ms": 100}, "/data needs 100 ms more for each read, write and sync for 30 s"),
]


def platform() -> Any:
    cluster = FakeCluster()
    for pod in cluster.pods.values():
        pod.spec.containers[0].name = "server"
        pod.spec.containers[0].volume_mounts = [client.V1VolumeMount(name="data", mount_path="/data")]
    return cluster.platform()


@pytest.mark.parametrize(("function", "more", "effect"), CASES)
def test_it_names_the_path_the_harm_and_who_ends_it(function: Callable[..., Any], more: dict[str, Any], effect: str) -> None:
    [target] = spec(function).resolve(platform(), ASKED | more, seeded(7))
    assert target.effect == effect
    assert "a watchdog on its node ends it after 30 s" in target.ends
    assert spec(function).lasts_s(ASKED | more) == 30


@pytest.mark.parametrize(("function", "more", "effect"), CASES)
def test_a_volume_that_is_not_there_is_refused(function: Callable[..., Any], more: dict[str, Any], effect: str) -> None:
    with pytest.raises(TargetRefused, match="has no volume 'date'; correct volume in the experiment"):
        spec(function).resolve(platform(), ASKED | more | {"volume": "date"}, seeded(7))


@pytest.mark.parametrize(
    ("function", "more", "said"),
    [
        (disks.make_read_only, {"for_s": -1}, "make_read_only: for_s is -1"),
        (disks.fill_disk, {"for_s": 0}, "fill_disk: for_s is 0"),
        (disks.fill_disk, {"folder": "../etc"}, "folder is '../etc'; write a path within the volume"),
        (disks.fill_disk, {"folder": "/etc"}, "folder is '/etc'"),
        (disks.fill_disk, {"folder": 1}, "folder is 1"),
        (disks.fail_disk, {"percent": 0}, "percent is 0; write a whole number from 1 to 100"),
        (disks.fail_disk, {"percent": 101}, "percent is 101"),
        (disks.slow_disk, {"latency_ms": 2001}, "latency_ms is 2001; write a whole number from 1 to 2000"),
        (disks.slow_disk, {"latency_ms": 1.5}, "latency_ms is 1.5"),
    ],
)
def test_what_cannot_be_meant_is_refused(function: Callable[..., Any], more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        spec(function).resolve(platform(), ASKED | more, seeded(7))
