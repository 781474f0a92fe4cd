"""Ranks that refuse to train on damaged data, told by how their containers ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kubernetes import client

from history.errors import NoData
from kube import live
from probes import training_data
from tests.support.fake_cluster import FakeCluster, live_run, pod


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FakeCluster]:
    made = FakeCluster()
    run = live_run(made, tmp_path, {"act": []})
    run.fault_starts([])
    made.pods["ml-training", "train-0"] = pod("train-0", "gpu-a", namespace="ml-training", app="trainer", ready=True)
    yield made
    live.activate(None)


def ended(cluster: FakeCluster, code: int, ago_s: float, *, restarted: bool) -> None:
    """Let the rank's container have ended so; if it was restarted, that is its last state."""
    finished = datetime.now(UTC) - timedelta(seconds=ago_s)
    state = client.V1ContainerState(terminated=client.V1ContainerStateTerminated(exit_code=code, finished_at=finished))
    now, before = (client.V1ContainerState(), state) if restarted else (state, client.V1ContainerState())
    status = client.V1ContainerStatus(
        name="trainer", image="i", image_id="i", ready=False, restart_count=int(restarted), state=now, last_state=before
    )
    cluster.pods["ml-training", "train-0"].status.container_statuses = [status]


@pytest.mark.parametrize("restarted", [True, False])
def test_a_container_that_ended_since_with_the_code_of_a_refusal(cluster: FakeCluster, restarted: bool) -> None:
    ended(cluster, training_data.REFUSED, 0, restarted=restarted)
    assert training_data.refused("act", "trainer")


@pytest.mark.parametrize(("code", "ago_s"), [(1, 0), (137, 0), (training_data.REFUSED, 600)])
def test_another_end_and_one_before_prove_nothing(cluster: FakeCluster, code: int, ago_s: float) -> None:
    ended(cluster, code, ago_s, restarted=True)
    assert not training_data.refused("act", "trainer")


def test_no_end_proves_nothing_and_no_answer_is_no_data(cluster: FakeCluster) -> None:
    assert not training_data.refused("act", "trainer")
    cluster.pods["ml-training", "train-0"].status.container_statuses = None
    assert not training_data.refused("act", "trainer")
    with pytest.raises(NoData):
        training_data.refused("never", "trainer")
