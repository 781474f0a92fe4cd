"""A second, small cluster for tests that break things: the one that others use (`make up`) stays untouched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testing.platform.cluster_driver import Cluster

PROBE = "probe"


@pytest.fixture(scope="session")
def probe() -> Iterator[Cluster]:
    """Two nodes, cpu-a and gpu-a, beside the cluster that is up; taken down at the end."""
    cluster = Cluster(PROBE)
    cluster.run("down")
    cluster.run("up", "--nodes", "2")
    yield cluster
    cluster.run("down")
