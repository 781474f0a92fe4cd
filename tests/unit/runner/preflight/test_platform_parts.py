"""What the platform is made of: the same digests for the same platform, another one for whatever was changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import TargetRefused
from runner.preflight.platform_parts import RESTARTED, platform_parts
from testing.platform.fake_cluster import FakeCluster
from testing.platform.in_memory.asked_by_path import APPS


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.config_maps["gateway-config"] = configured("timeout: 1s")
    return made


def configured(text: str) -> Any:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name="gateway-config"), data={"gateway.yaml": text})


def another_command(cluster: FakeCluster) -> None:
    cluster.templates["inference"].spec.containers[0].args = ["--max-model-len=4096"]


def another_image(cluster: FakeCluster) -> None:
    cluster.pods["ml-serving", "inference-a"].status.container_statuses[0].image_id = "sha256:1"


def another_configuration(cluster: FakeCluster) -> None:
    cluster.config_maps["gateway-config"] = configured("timeout: 2s")


def restarted(cluster: FakeCluster) -> None:
    cluster.templates["inference"].metadata.annotations = {RESTARTED: "2026-11-01T12:00:00Z"}


def changed(cluster: FakeCluster, change: Callable[[FakeCluster], None]) -> set[str]:
    before = platform_parts(cluster.platform())
    change(cluster)
    after = platform_parts(cluster.platform())
    return {part for part in {*before, *after} if before.get(part) != after.get(part)}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (another_command, "template of inference"),
        (another_image, "images of inference"),
        (another_configuration, "configuration of gateway"),
    ],
)
def test_what_was_changed_is_named(cluster: FakeCluster, change: Callable[[FakeCluster], None], part: str) -> None:
    assert changed(cluster, change) == {part}


def test_a_restart_of_the_same_template_changes_nothing(cluster: FakeCluster) -> None:
    assert changed(cluster, restarted) == set()


def test_what_this_account_may_not_read_is_left_out(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise ApiException(status=403, reason="Forbidden")

    monkeypatch.setattr(cluster, "read_namespaced_config_map", forbidden)
    assert changed(cluster, another_configuration) == set()
    cluster.served[f"{APPS}/deployments/inference"] = ApiException(status=403, reason="Forbidden")
    with pytest.raises(TargetRefused, match=r"read what the platform is made of: .*403"):
        platform_parts(cluster.platform())
