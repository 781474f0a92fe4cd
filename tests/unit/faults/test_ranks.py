"""Ranks that end otherwise: what is asked of the pod, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import faults.ranks
from history.errors import ConfigError
from kube.selection import INDEX
from safety.fault_spec import spec_of
from testing.platform.fake_cluster import FakeCluster, live_run, pod, seeded

Fault = Callable[..., dict[str, Any]]


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    for index, node in enumerate(("gpu-a", "gpu-b", "gpu-c")):
        one = pod(f"train-{index}", node, namespace="ml-training", app="trainer", owner="Job")
        one.metadata.labels[INDEX] = str(index)
        made.pods["ml-training", one.metadata.name] = one
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []
    monkeypatch.setattr("faults.ranks.output_of", lambda *given: commands.append(given[-1]) or "")
    return commands


@pytest.mark.parametrize(
    ("function", "arguments", "action"),
    [(faults.ranks.segfault, {}, "segfault"), (faults.ranks.exhaust_memory, {"mebibytes": 2048}, "eat:2048")],
)
def test_the_rank_is_told_by_a_file_in_its_pod(
    asked: list[list[str]], cluster: FakeCluster, tmp_path: Path, *, function: Fault, arguments: dict[str, int], action: str
) -> None:
    spec = spec_of(function)
    assert spec is not None
    given = {"role": "trainer", "index": 1, **arguments}
    run = live_run(cluster, tmp_path, {"act": spec.resolve(cluster.platform(), given, seeded(7))})
    assert function(**given)["targets"] == ["train-1"]
    assert [command[-2:] for command in asked] == [[f"={action}", "step+aftershock"]]
    assert [target.name for target in run.targets_of()] == ["train-1"]
    verbs = {(one.verb, one.resource) for one in spec.permissions(cluster.platform(), given)}
    assert {("create", "pods/exec"), ("get", "pods/log")} <= verbs


@pytest.mark.parametrize("mebibytes", [0, -5, 9000, 1.5, True, "2048"])
def test_memory_without_a_bound_is_refused(cluster: FakeCluster, mebibytes: object) -> None:
    spec = spec_of(faults.ranks.exhaust_memory)
    assert spec is not None
    with pytest.raises(ConfigError, match="from 1 to 8192"):
        spec.resolve(cluster.platform(), {"role": "trainer", "mebibytes": mebibytes}, seeded(7))
