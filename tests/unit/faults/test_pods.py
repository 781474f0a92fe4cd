"""A pod that is told to leave: exactly that pod, with its own grace, written down before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

import faults.pods
from history.errors import FaultFailed
from probes.pods import gone
from safety.active_run import ActiveRun
from safety.fault_spec import spec_of
from testing.platform.fake_cluster import FakeCluster, seeded
from testing.platform.fake_run import live_run


class Graceful(FakeCluster):
    """A cluster in which a deleted pod stays until it has ended. ``deleted``: names, and the uid that had to be theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted: list[tuple[str, str]] = []
        for pod in self.pods.values():
            pod.spec.termination_grace_period_seconds = 35

    def delete_namespaced_pod(self, name: str, namespace: str, body: Any = None) -> None:
        assert body.grace_period_seconds is None  # the pod's own
        self._there(self.pods, (namespace, name))
        self.deleted.append((name, body.preconditions.uid))


@pytest.fixture
def cluster() -> Graceful:
    return Graceful()


@pytest.fixture
def run(cluster: Graceful, tmp_path: Path) -> ActiveRun:
    spec = spec_of(faults.pods.leave)
    assert spec
    return live_run(cluster, tmp_path, {"act": spec.resolve(cluster.platform(), {"role": "gateway"}, seeded(7))})


def test_a_pod_leaves_with_its_own_grace_after_the_journal_was_written(cluster: Graceful, run: ActiveRun, tmp_path: Path) -> None:
    [target] = run.targets_of()
    assert (target.effect, target.seen_s) == ("told to leave within 35 s", 35)
    assert faults.pods.leave("gateway") == {"targets": [target.name], "role": "gateway", "count": 1}
    assert cluster.calls == [f"write ahead nothing {target.name}"]
    assert cluster.deleted == [(target.name, target.uid)]
    events = [orjson.loads(line)["kind"] for line in (tmp_path / "events.test.jsonl").read_text().splitlines()]
    assert events == ["clock", "fault.start", "fault.end"]


def test_it_is_proven_only_when_the_pod_is_gone(cluster: Graceful, run: ActiveRun) -> None:
    faults.pods.leave("gateway")
    assert not gone("act")
    del cluster.pods["ml-serving", run.targets_of()[0].name]
    assert gone("act")


def test_a_pod_that_left_before_fails_the_fault(cluster: Graceful, run: ActiveRun) -> None:
    del cluster.pods["ml-serving", run.targets_of()[0].name]
    with pytest.raises(FaultFailed, match="gateway-"):
        faults.pods.leave("gateway")
    assert cluster.deleted == []
