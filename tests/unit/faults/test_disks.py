"""What is resolved for a volume that is to take nothing any more, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client

from faults import disks
from history.errors import ConfigError, TargetRefused
from kube.fault import FaultSpec, spec_of
from tests.support.fake_cluster import FakeCluster, seeded

ASKED = {"role": "inference", "volume": "data", "for_s": 30}


def spec() -> FaultSpec:
    found = spec_of(disks.make_read_only)
    assert found is not None
    return found


def platform() -> Any:
    cluster = FakeCluster()
    for pod in cluster.pods.values():
        pod.spec.containers[0].name = "server"
        pod.spec.containers[0].volume_mounts = [client.V1VolumeMount(name="data", mount_path="/data")]
    return cluster.platform()


def test_it_names_the_path_and_who_ends_it() -> None:
    [target] = spec().resolve(platform(), ASKED, seeded(7))
    assert target.effect == "/data is read-only for 30 s"
    assert "a watchdog on its node ends it after 30 s" in target.ends
    assert spec().lasts_s(ASKED) == 30


def test_a_volume_that_is_not_there_is_refused() -> None:
    with pytest.raises(TargetRefused, match="has no volume 'date'; correct volume in the experiment"):
        spec().resolve(platform(), ASKED | {"volume": "date"}, seeded(7))


def test_without_an_end_it_is_refused() -> None:
    with pytest.raises(ConfigError, match="for_s"):
        spec().resolve(platform(), ASKED | {"for_s": -1}, seeded(7))
