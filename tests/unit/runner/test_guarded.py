"""Guards while a run goes on: conditions that stop it, conditions that are blind, and whoever works against it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from history.errors import NoData, TargetRefused
from history.plan import Phase
from kube.selection import node_target, pod_target
from runner.preflight.blackouts import refuse_blackout
from runner.run.abort import stop_when
from runner.run.abort.conditions import Conditions
from runner.stop import Stop
from safety import active_run, cordoning
from safety.undo import undo_all
from safety.undo_journal import Undo, UndoKind
from target.stop_when import Blackout, StopWhen
from testing.platform.bystander import Bystander, bystander
from testing.platform.fake_cluster import FakeCluster, live_run, local_target, pod


@pytest.fixture(autouse=True)
def no_live_run() -> Iterator[None]:
    yield
    active_run.activate(None)


@pytest.fixture
def service() -> Iterator[Bystander]:
    with bystander() as made:
        yield made


def written(service: Bystander) -> StopWhen:
    return StopWhen(bystander=service.url, above=0.3)


def test_a_bystander_that_suffers_stops_the_run(service: Bystander) -> None:
    condition = stop_when.Bystander(written(service))
    assert [condition.met() for _ in range(10)] == [None] * 10
    service.status = 503
    found = next(filter(None, (condition.met() for _ in range(20))))
    assert found[0] == "stop condition"
    assert "a bystander suffers" in found[1]


def test_a_bystander_that_is_gone_counts_as_errors(service: Bystander) -> None:
    service.end()
    condition = stop_when.Bystander(written(service))
    assert next(filter(None, (condition.met() for _ in range(10))))


def test_a_short_window_means_something_too(service: Bystander, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(stop_when.time, "monotonic", lambda: next(clock))
    service.status = 503
    condition = stop_when.Bystander(StopWhen(bystander=service.url, above=0.3, window_s=2))
    assert [bool(condition.met()) for _ in range(3)] == [False, True, True]


def answers(monkeypatch: pytest.MonkeyPatch, values: list[float | Exception | None]) -> None:
    left = iter(values)

    def query(*_: object) -> float | None:
        value = next(left)
        if isinstance(value, Exception):
            raise value
        return value

    monkeypatch.setattr(stop_when, "query", query)


def test_an_expression_stops_the_run_when_it_rises(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, [0.0, 5.0, 5.1])
    condition = stop_when.Expression(local_target(), StopWhen(promql="errors", above=5))
    assert condition.met() is None
    assert condition.met() is None
    assert condition.met() == ("stop condition", "errors is 5.1, above 5")


def test_an_expression_that_nobody_can_see_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(stop_when.time, "monotonic", lambda: clock[0])
    answers(monkeypatch, [None, NoData("away"), None])
    condition = stop_when.Expression(local_target(), StopWhen(promql="errors", above=5))
    assert condition.met() is None
    clock[0] = 9.0
    assert condition.met() is None
    clock[0] = 11.0
    found = condition.met()
    assert found
    assert "has had no value for 11 s: a guard that is blind guards nothing" in found[1]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (9.0, "already met: errors is 9, above 5"),
        (None, "it has no value now"),
        (NoData("Prometheus is away"), "Prometheus is away; a guard that is blind"),
    ],
)
def test_a_condition_that_is_met_or_blind_at_preflight_refuses_the_run(
    monkeypatch: pytest.MonkeyPatch, value: float | Exception | None, said: str
) -> None:
    answers(monkeypatch, [value])
    with pytest.raises(TargetRefused, match=said):
        stop_when.refuse_met(local_target(), (StopWhen(promql="errors", above=5),))


def test_a_bystander_that_is_down_at_preflight_refuses_the_run(service: Bystander) -> None:
    stop_when.refuse_met(local_target(), (written(service),))
    service.status = 500
    with pytest.raises(TargetRefused, match="does not answer well"):
        stop_when.refuse_met(local_target(), (written(service),))


def cordoned(cluster: FakeCluster, run_dir: Path) -> Callable[[], tuple[str, str] | None]:
    run = live_run(cluster, run_dir, {"act": [node_target(cluster.nodes["gpu-a"], "", "")]})
    ours = cordoning.write_ahead(run, [cluster.nodes["gpu-a"]])
    condition = stop_when.opposed(run, lambda: Phase.OBSERVE)
    assert condition() is None
    cordoning.cordon(run, ours)
    assert condition() is None
    return condition


def test_a_controller_that_reverts_the_fault_is_named(tmp_path: Path) -> None:
    cluster = FakeCluster()
    condition = cordoned(cluster, tmp_path)
    cluster.nodes["gpu-a"].spec.unschedulable = None
    found = condition()
    assert found
    assert found[0] == "somebody else"
    assert "node gpu-a was uncordoned while the run needs it cordoned" in found[1]


def test_our_own_undo_is_nobody_elses(tmp_path: Path) -> None:
    cluster = FakeCluster()
    condition = cordoned(cluster, tmp_path)
    node = cluster.nodes["gpu-a"]
    node.spec.unschedulable, node.metadata.annotations = None, {}  # what our undo does, in one patch
    assert condition() is None


@pytest.mark.parametrize(
    ("gone", "said"), [(True, "node gpu-a was removed"), (False, "node gpu-a was replaced by another of the same name")]
)
def test_a_node_that_somebody_replaces_is_named(tmp_path: Path, gone: bool, said: str) -> None:
    cluster = FakeCluster()
    condition = cordoned(cluster, tmp_path)
    if gone:
        del cluster.nodes["gpu-a"]
    else:
        cluster.nodes["gpu-a"].metadata.uid = "another"
    found = condition()
    assert found
    assert said in found[1]


class Asked(Stop):
    """Only notes who asks: the real one's signal may come when the test is over."""

    def ask(self, by: str, reason: str) -> None:
        self._note(by, reason)


def test_a_slow_condition_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.run.abort.conditions.PERIOD_S", 0.01)
    stop, hanging, noted = Asked(), threading.Event(), threading.Event()

    def slow() -> tuple[str, str] | None:
        hanging.wait(30)
        return None

    def quick() -> tuple[str, str] | None:
        noted.set()
        return "stop condition", "met"

    conditions = Conditions(stop, [slow, quick])
    conditions.start()
    assert noted.wait(30)
    hanging.set()
    conditions.join(30)
    assert not conditions.is_alive()
    assert stop.request
    assert stop.request.by == "stop condition"


def test_a_run_that_would_meet_a_blackout_window_is_refused() -> None:
    window = Blackout(why="payroll", start="12:00", end="13:00")
    target, begin = local_target(blackouts=[window]), datetime(2026, 11, 2, 11, 55, tzinfo=UTC)
    refuse_blackout(target, begin, 240)
    with pytest.raises(TargetRefused, match=r"from Mon 2026-11-02 12:00 to .* 13:00 UTC .payroll., and the run may last until 12:01 UTC"):
        refuse_blackout(target, begin, 360)
    with pytest.raises(TargetRefused, match="and it is open now; nothing was injected"):
        refuse_blackout(target, datetime(2026, 11, 2, 12, 30, tzinfo=UTC), 1)


# fault pods that others end, undos that others revert


def isolated(cluster: FakeCluster, run_dir: Path, phase: Phase) -> Callable[[], tuple[str, str] | None]:
    run = live_run(cluster, run_dir, {"act": [pod_target(cluster.pods["ml-serving", "inference-a"], "", "")]})
    undo = Undo(kind=UndoKind.DELETE_POD, activity="act", object="fault-1", namespace="aftershock", detail="gpu-a", ends_by_ns=0)
    run.journal.will_undo(undo)
    cluster.pods["aftershock", "fault-1"] = pod("fault-1", "gpu-a", namespace="aftershock", app="fault", owner=None)
    condition = stop_when.opposed(run, lambda: phase)
    assert condition() is None
    return condition


def removed(cluster: FakeCluster) -> None:
    del cluster.pods["aftershock", "fault-1"]


def being_removed(cluster: FakeCluster) -> None:
    cluster.pods["aftershock", "fault-1"].metadata.deletion_timestamp = datetime(2026, 11, 1, tzinfo=UTC)


def evicted(cluster: FakeCluster) -> None:
    status = cluster.pods["aftershock", "fault-1"].status
    status.phase, status.reason, status.message = "Failed", "Evicted", "The node was low on memory"


GONE = [
    (removed, "was removed"),
    (being_removed, "is being removed"),
    (evicted, "failed (Failed, Evicted, The node was low on memory)"),
]


@pytest.mark.parametrize(("lose", "said"), GONE)
def test_a_fault_pod_that_ends_before_its_time_stops_the_run(tmp_path: Path, lose: Callable[[FakeCluster], None], said: str) -> None:
    cluster = FakeCluster()
    condition = isolated(cluster, tmp_path, Phase.OBSERVE)
    lose(cluster)
    found = condition()
    assert found
    assert found[1].startswith(f"fault pod fault-1 on gpu-a {said}: the fault may have ended before its time, not by this run")


@pytest.mark.parametrize("phase", [Phase.INJECT, Phase.HEAL, Phase.SETTLE])
def test_a_fault_pod_that_is_not_there_yet_or_was_removed_by_the_rollback_is_nobody_elses(tmp_path: Path, phase: Phase) -> None:
    cluster = FakeCluster()
    condition = isolated(cluster, tmp_path, phase)
    removed(cluster)
    assert condition() is None


def test_a_fault_pod_whose_time_is_over_has_done_its_work(tmp_path: Path) -> None:
    cluster = FakeCluster()
    condition = isolated(cluster, tmp_path, Phase.OBSERVE)
    cluster.pods["aftershock", "fault-1"].status.phase = "Succeeded"
    assert condition() is None


def written_by(manager: str, at: int, fields: dict[str, Any], subresource: str | None = None) -> client.V1ManagedFieldsEntry:
    when = datetime(2026, 11, 1, 12, 0, at, tzinfo=UTC)
    return client.V1ManagedFieldsEntry(manager=manager, time=when, fields_v1=fields, subresource=subresource)


def test_a_controller_that_reverts_the_undo_is_named_and_left_alone(tmp_path: Path) -> None:
    cluster = FakeCluster()
    run = live_run(cluster, tmp_path, {"act": [node_target(cluster.nodes["gpu-a"], "", "")]})
    cordoning.cordon(run, cordoning.write_ahead(run, [cluster.nodes["gpu-a"]]))
    undo_all(run)
    assert stop_when.taken_over(run) == {}
    node = cluster.nodes["gpu-a"]
    node.spec.unschedulable = True
    node.metadata.managed_fields = [
        written_by("argocd", 1, {"f:spec": {"f:unschedulable": {}}}),
        written_by("kube-controller-manager", 2, {"f:spec": {"f:taints": {}}}),
        written_by("kubelet", 3, {"f:status": {}}, "status"),
    ]
    [said] = stop_when.taken_over(run).values()
    assert "cordoned again by argocd: a controller reverts the undo; it is left as it is" in said


def test_a_node_of_which_somebody_else_was_the_first_to_cordon_it_is_not_taken_over(tmp_path: Path) -> None:
    cluster = FakeCluster()
    cluster.nodes["gpu-a"].spec.unschedulable = True
    run = live_run(cluster, tmp_path, {"act": [node_target(cluster.nodes["gpu-a"], "", "")]})
    cordoning.cordon(run, cordoning.write_ahead(run, [cluster.nodes["gpu-a"]]))
    undo_all(run)
    assert stop_when.taken_over(run) == {}
