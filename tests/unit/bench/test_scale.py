"""Figures of a large platform beside their bounds; what is made and what is counted is what the page says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from bench.scale.page import Measured, bounds_of, cells, markdown, reached
from bench.scale.steps import Step
from testing.platform.large.manifests import A_WORKLOAD, ROLES, SERVING, ZONE_LABEL, Large

LARGE = Large(1000)
STEP = Step("preflight", True, "", 8.0, 4.0, 300_000_000, 120, 900_000, "/api/v1/nodes", preflight=True)


def test_a_step_within_all_its_bounds_reaches_them() -> None:
    assert reached(STEP, LARGE)
    assert list(bounds_of(STEP, LARGE)) == ["600 MB", "1 core", "2 MB an answer", "10 s"]


@pytest.mark.parametrize(
    "changes",
    [{"wall_s": 10.1}, {"cpu_s": 8.2}, {"peak_bytes": 600_000_001}, {"largest_bytes": 2_000_001}, {"ok": False}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_step_that_misses_one_bound_misses(changes: dict[str, float]) -> None:
    missing = replace(STEP, **changes)
    assert not reached(missing, LARGE)
    assert Measured(LARGE, (STEP, missing), {}, "").missed == ["preflight"]
    assert cells(missing, LARGE)[-1].startswith("MISSED")


def test_a_small_platform_has_less_time_and_a_very_large_one_no_bound_on_it() -> None:
    assert "2 s" in bounds_of(STEP, Large(50))
    assert not reached(STEP, Large(50))
    assert list(bounds_of(STEP, Large(5000))) == ["600 MB", "1 core", "2 MB an answer"]


def test_a_command_that_asks_no_api_server_has_no_bounds_of_requests() -> None:
    command = Step("collection", True, "", 3.0, 6.0, 100_000_000)
    assert list(bounds_of(command, LARGE)) == ["600 MB"]


def test_the_page_says_what_kwok_is_not_and_shows_every_size() -> None:
    measured = [Measured(size, (STEP,), {"commit": "a1"}, "etcd 1 MB.") for size in (LARGE, Large(5000))]
    text = markdown("python -m bench.scale", measured)
    assert "stands in for the kubelets" in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## 1,000 nodes, 10,011 pods", "## 5,000 nodes, 50,011 pods"]


def test_a_large_platform_is_what_it_says() -> None:
    nodes, pods, owners = list(LARGE.node_manifests()), list(LARGE.pod_manifests()), list(LARGE.owner_manifests())
    names = {one["metadata"]["name"] for one in nodes}
    assert (len(nodes), len(names), len(pods)) == (1000, 1000, LARGE.pods)
    assert {one["spec"]["nodeName"] for one in pods} == names
    assert len({(one["metadata"]["namespace"], one["metadata"]["name"]) for one in pods}) == len(pods)
    assert {one["metadata"]["namespace"] for one in (*pods, *owners)} == set(LARGE.namespaces())
    zones = Counter(one["metadata"]["labels"][ZONE_LABEL] for one in nodes)
    assert sorted(zones.values()) == [333, 333, 334]


def test_each_controller_has_the_pods_that_it_wants() -> None:
    pods = Counter((one["metadata"]["namespace"], one["metadata"]["labels"]["app"]) for one in LARGE.pod_manifests())
    wanted = {(one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"]["replicas"] for one in LARGE.owner_manifests()}
    assert pods == wanted
    assert {name: wanted[SERVING, name] for name in ROLES} == ROLES
    assert set(wanted.values()) == {*ROLES.values(), A_WORKLOAD}
