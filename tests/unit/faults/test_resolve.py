"""What a fault will touch: decided once, by the seed; refused where it cannot work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import faults.gpus
import faults.nodes
import faults.pods
import faults.processes
import faults.zones
from history.errors import AftershockError, ConfigError, TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform
from safety import blast_radius
from target.role import Process
from target.target import Target
from testing.platform.fake_cluster import FakeCluster, local_target, pod, seeded
from testing.platform.workload_kinds import budget
from testing.runs.fault_parts import spec

FAULTS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "kill": (faults.pods.kill, {"role": "inference", "count": 2}),
    "kill_engine": (faults.processes.kill_engine, {"role": "inference"}),
    "freeze_engine": (faults.processes.freeze_engine, {"role": "inference", "for_s": 30}),
    "slow_engine": (faults.processes.slow_engine, {"role": "inference", "for_s": 30, "share": 0.8}),
    "cordon": (faults.nodes.cordon, {"role": "inference"}),
    "drain": (faults.nodes.drain, {"role": "inference"}),
    "power_off": (faults.nodes.power_off, {"role": "inference", "for_s": 75}),
    "lose_zone": (faults.zones.lose, {"role": "inference", "for_s": 90}),
    "power_off_zone": (faults.zones.power_off, {"role": "inference", "for_s": 90}),
    "lose_device": (faults.gpus.lose_device, {"role": "inference", "for_s": 45}),
}


def resolve(name: str, seed: int, platform: Platform | None = None) -> list[ResolvedTarget]:
    return spec(FAULTS[name][0]).resolve(platform or FakeCluster().platform(), FAULTS[name][1], seeded(seed))


@pytest.mark.parametrize("name", FAULTS)
def test_the_same_seed_means_the_same_targets(name: str) -> None:
    assert resolve(name, 7) == resolve(name, 7)


@pytest.mark.parametrize("name", FAULTS)
def test_other_seeds_reach_other_targets(name: str) -> None:
    assert len({tuple(one.name + str(one.node) for one in resolve(name, seed)) for seed in range(12)}) > 1


@pytest.mark.parametrize("name", FAULTS)
def test_the_choice_does_not_depend_on_the_order_of_the_api(name: str) -> None:
    cluster = FakeCluster()
    cluster.pods = dict(reversed(cluster.pods.items()))
    cluster.nodes = dict(reversed(cluster.nodes.items()))
    assert resolve(name, 7, cluster.platform()) == resolve(name, 7)


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_resolved_is_within_the_blast_radius_and_says_what_happens(name: str) -> None:
    platform = FakeCluster().platform()
    for seed in range(3):
        targets = resolve(name, seed, platform)
        blast_radius.check(platform, targets)
        assert all(one.effect and one.ends and one.uid for one in targets)
        assert len({(one.kind, one.name) for one in targets}) == len(targets)


@pytest.mark.parametrize("name", FAULTS)
def test_a_role_that_is_not_running_is_refused(name: str) -> None:
    cluster = FakeCluster()
    for one in cluster.pods.values():
        one.status.conditions[0].status = "False"
    with pytest.raises(TargetRefused, match="none of them ready"):
        resolve(name, 7, cluster.platform())


@pytest.mark.parametrize("name", FAULTS)
def test_permissions_name_verbs_and_stay_small(name: str) -> None:
    asked = spec(FAULTS[name][0]).permissions(FakeCluster().platform(), FAULTS[name][1])
    assert asked
    assert not any("*" in permission.verb + permission.resource + permission.group for permission in asked)
    if spec(FAULTS[name][0]).tier != "node":
        assert all(permission.namespace == "ml-serving" for permission in asked)


def without(**changes: Any) -> Target:
    return local_target(**changes)


def test_without_a_driver_a_gpu_fault_is_refused_with_a_reason() -> None:
    with pytest.raises(TargetRefused, match="it has no GPU driver"):
        resolve("lose_device", 7, FakeCluster().platform(without(machines=None, gpus=None)))


@pytest.mark.parametrize("name", ["freeze_engine", "slow_engine", "power_off", "lose_zone", "power_off_zone", "lose_device"])
@pytest.mark.parametrize("for_s", [0, -1, "90s", None, True, float("inf")])
def test_a_fault_without_an_end_is_refused_by_its_own_name(name: str, for_s: object) -> None:
    with pytest.raises(ConfigError, match=f"^{FAULTS[name][0].__name__}: for_s is "):
        spec(FAULTS[name][0]).resolve(FakeCluster().platform(), FAULTS[name][1] | {"for_s": for_s}, seeded(7))


@pytest.mark.parametrize("name", ["freeze_engine", "power_off", "lose_zone", "power_off_zone", "lose_device"])
def test_how_long_it_lasts_is_known_before(name: str) -> None:
    assert spec(FAULTS[name][0]).lasts_s(FAULTS[name][1]) == FAULTS[name][1]["for_s"]


def test_a_role_without_an_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match="role gateway: its engine process is not to be found"):
        spec(faults.processes.kill_engine).resolve(FakeCluster().platform(), {"role": "gateway"}, seeded(7))


def test_a_newest_process_can_be_stopped_but_not_killed_since_nobody_could_see_that() -> None:
    process = Process(match="engine", pick="newest")
    inference = local_target().roles["inference"].model_copy(update={"process": process})
    platform = FakeCluster().platform(local_target(roles=local_target().roles | {"inference": inference}))
    [target] = spec(faults.processes.freeze_engine).resolve(platform, {"role": "inference", "for_s": 5}, seeded(7))
    assert target.effect == "process engine (the newest) stopped for 5 s"
    with pytest.raises(ConfigError, match="nobody could see that it ended; say child_of, title or listens"):
        spec(faults.processes.kill_engine).resolve(platform, {"role": "inference"}, seeded(7))


def test_a_drain_that_no_budget_ever_lets_end_is_refused_and_a_risk() -> None:
    cluster = FakeCluster()
    budget(cluster)
    with pytest.raises(
        TargetRefused, match=r"node gpu-\w: no drain of it ever ends, an upgrade's neither: pod ml-serving/inference-\w: "
    ) as refused:
        resolve("drain", 7, cluster.platform())
    assert refused.value.risks[0].endswith("let the budget allow a disruption; not tested")
    cluster.budgets.clear()
    budget(cluster, healthy=2)
    assert resolve("drain", 7, cluster.platform())


def test_a_drain_that_would_lose_a_pod_for_good_is_refused() -> None:
    cluster = FakeCluster()
    for letter in "abc":
        cluster.pods[("ml-serving", f"bare-{letter}")] = pod(f"bare-{letter}", f"gpu-{letter}", app="bare", owner=None)
    with pytest.raises(TargetRefused, match=r"nobody would make ml-serving/bare-. again"):
        resolve("drain", 7, cluster.platform())


@pytest.mark.parametrize("name", ["lose_zone", "power_off_zone"])
def test_a_zone_is_lost_whole(name: str) -> None:
    names = [[one.name for one in resolve(name, seed)] for seed in range(12)]
    assert {tuple(one) for one in names} == {("cpu-b", "gpu-b"), ("cpu-c", "gpu-c")}


def test_a_lost_device_is_the_one_of_the_chosen_pod() -> None:
    hit, device = resolve("lose_device", 7)
    assert (hit.kind, device.kind, device.name) == ("Pod", "Device", "GPU-1")
    assert hit.node == device.node


def test_a_node_with_a_sick_device_is_refused() -> None:
    cluster = FakeCluster()
    for node in cluster.nodes.values():
        if node.status.allocatable:
            node.status.allocatable["nvidia.com/gpu"] = "1"
    with pytest.raises(TargetRefused, match=r"1 of 2 nvidia.com/gpu are healthy; repair it before"):
        resolve("lose_device", 7, cluster.platform())


@pytest.mark.parametrize("name", FAULTS)
def test_without_a_live_run_nothing_is_touched(name: str) -> None:
    function, arguments = FAULTS[name]
    with pytest.raises(AftershockError, match=r"no live Aftershock run .* pytest -m chaos"):
        function(**arguments)


@pytest.mark.parametrize(
    "rollback", [faults.processes.replace, faults.nodes.uncordon, faults.nodes.power_on, faults.zones.recover, faults.gpus.repair]
)
def test_without_a_live_run_nothing_is_rolled_back(rollback: Callable[[], Any]) -> None:
    with pytest.raises(TargetRefused, match="no live Aftershock run"):
        rollback()
