"""Healing and settling, and what is seen meanwhile, with fakes for the load, for what users feel, and for what probes say."""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from history.clock import now_ns
from history.errors import NoData, UndoFailed
from history.plan import Phase
from history.schema import EventKind
from runner.messages import Kind
from runner.preflight.platform_health import Before
from runner.run.context import Context
from runner.run.phases.drain_and_judge import drain
from runner.run.phases.heal import heal
from runner.run.ticker import Ticker
from safety.undo_journal import Undo, UndoKind
from testing.platform.fake_cluster import NOW, FakeCluster, pod
from testing.platform.workload_kinds import budget, signalled
from testing.runs.phases import Users, events, with_load
from testing.runs.runner_cluster import RunnerCluster
from testing.runs.runner_parts import Sent, scripted

pytestmark = pytest.mark.usefixtures("impatient")


class AsBefore:
    """What the platform differs in, one answer a look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.answers = list(answers)
        monkeypatch.setattr("runner.run.phases.heal.differences", self)

    def __call__(self, *_: object) -> list[str]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


BEFORE = Before({"inference": 3}, {})


def test_healing_runs_rollbacks_undoes_the_journal_and_proves_the_platform(
    context: Context, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    AsBefore(monkeypatch, ["node gpu-a is not ready"], [])
    node = cluster.nodes["gpu-a"]
    node.spec.unschedulable, node.metadata.annotations = True, {"aftershock.dev/cordoned-by": "run-1"}
    context.run.journal.will_undo(Undo(kind=UndoKind.UNCORDON, activity="kill", object="gpu-a", detail="run-1", ends_by_ns=0))
    assert heal(context, BEFORE) == []
    assert not node.spec.unschedulable
    assert [entry["status"] for entry in context.toolkit_journal.rollbacks] == ["succeeded"]
    [(_, detail)] = events(context, EventKind.HEAL_END)
    assert detail == {"clean": True, "remains": []}


def leaving(cluster: FakeCluster) -> None:
    """Let a pod that was replaced still be leaving."""
    old = cluster.pods["ml-serving", "inference-old"] = pod("inference-old")
    old.metadata.deletion_timestamp = NOW


def test_healing_waits_until_a_replaced_pod_has_left(context: Context, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    leaving(cluster)
    listing, looks = cluster.list_namespaced_pod, itertools.count(1)

    def listed(*arguments: Any, **more: Any) -> Any:
        if next(looks) > 2 * len(context.run.platform.target.roles):
            cluster.pods.pop(("ml-serving", "inference-old"), None)
        return listing(*arguments, **more)

    monkeypatch.setattr(cluster, "list_namespaced_pod", listed)
    assert heal(context, BEFORE) == []
    assert next(looks) > 2 * len(context.run.platform.target.roles)


def test_a_pod_that_does_not_leave_in_time_is_said(context: Context, cluster: FakeCluster) -> None:
    leaving(cluster)
    assert heal(context, BEFORE) == ["role inference: inference-old is still leaving"]


def test_a_rollback_that_fails_is_tried_again(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    AsBefore(monkeypatch, [])
    scripted["put_back"] = [UndoFailed("no answer"), UndoFailed("no answer"), {"undone": []}]
    assert heal(context, BEFORE) == []
    assert [entry["status"] for entry in context.toolkit_journal.rollbacks] == ["failed", "failed", "succeeded"]


@pytest.mark.parametrize(
    ("script", "differs", "left"),
    [([UndoFailed("no answer")], [], "put-back: no answer"), ([{"undone": []}], ["node gpu-a is cordoned"], "node gpu-a is cordoned")],
)
def test_what_cannot_be_healed_is_said(
    context: Context, monkeypatch: pytest.MonkeyPatch, script: list[Any], differs: list[str], left: str
) -> None:
    AsBefore(monkeypatch, differs)
    scripted["put_back"] = script
    assert heal(context, BEFORE) == [left]
    [(_, detail)] = events(context, EventKind.HEAL_END)
    assert detail == {"clean": False, "remains": [left]}


def test_what_nobody_may_look_at_any_more_is_not_called_broken(
    context: Context, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def turned_away(**_: object) -> None:
        raise ApiException(status=401, reason="Unauthorized")

    monkeypatch.setattr(cluster, "list_node", turned_away)
    scripted["put_back"] = [UndoFailed("401 Unauthorized")]
    assert heal(context, BEFORE) == ["put-back: 401 Unauthorized"]
    [(_, detail)] = events(context, EventKind.HEAL_END)
    assert detail == {"clean": None, "remains": ["put-back: 401 Unauthorized"]}


def test_settling_ends_the_load_and_says_what_was_wrong_with_it(context: Context) -> None:
    drain(context)
    load = with_load(context, broken="load: it did not drain in time and was killed")
    other = Users()
    context.progress["beside"] = other
    drain(context)
    assert (load.ended, other.ended) == (1, 1)  # one is drained even if another cannot be
    [(name, detail)] = events(context, EventKind.INSTRUMENT_DOWN)
    assert (name, detail["error"]) == ("realtime-inference", load.broken)


@pytest.mark.parametrize("broken", [NoData("nobody answers"), OSError(28, "No space left on device")])
def test_one_is_drained_whatever_another_raises(context: Context, broken: Exception) -> None:
    first, last, other = with_load(context), Users(), Users()

    def drained() -> tuple[Path, ...]:
        raise broken

    other.drain = drained  # type: ignore[method-assign]
    context.progress |= {"beside": other, "last": last}
    with suppress(OSError):  # the boundary around the phase records it
        drain(context)
    assert (first.ended, last.ended) == (1, 1)
    assert [name for name, _ in events(context, EventKind.INSTRUMENT_DOWN)] == ["beside"] * isinstance(broken, NoData)


def test_progress_says_what_is_seen(context: Context, tmp_path: Path) -> None:
    with_load(context)
    context.observations.ready, context.observations.names = {"inference": 3}, {"inference": frozenset("abc")}
    context.observations.ill, context.observations.queue = {"a"}, 4.0  # its condition still says Ready
    assert context.text() == "0% bad, inference 2/3, queue 4"
    context.log.event(EventKind.FAULT_START, "kill", t_ns=now_ns() - int(12.4e9))
    assert context.text().startswith("+12.4 s 0% bad")


def test_what_is_seen_is_told_whatever_the_run_is_busy_with(context: Context, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.run.ticker.PERIOD_S", 0.01)
    ticker = Ticker(context)
    ticker.start()
    acted = threading.Event()
    sent.listen(acted.set)
    assert acted.wait(10)
    ticker.halt()
    assert not ticker.is_alive()
    assert sent.texts(Kind.SEEN)


def test_what_is_left_of_the_rto_budget_is_told_while_recovery_is_waited_for(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    [budget_s] = [one.budgets.rto_s for one in context.run.plan.workloads]
    assert budget_s is not None
    context.phase, now = Phase.OBSERVE, now_ns()
    assert context.countdown() == {}, "no fault acted yet"
    context.log.event(EventKind.FAULT_START, "kill", t_ns=now)
    monkeypatch.setattr("runner.run.context.now_ns", lambda: now + int(12.4e9))
    assert context.countdown() == {"rto_s": budget_s, "left_s": round(budget_s - 12.4, 1)}
    context.phase = Phase.HEAL
    assert context.countdown() == {}


def test_a_role_that_was_scaled_meanwhile_is_as_before_and_that_is_said(context: Context, cluster: RunnerCluster) -> None:
    cluster.replicas["inference"] = 2
    del cluster.pods["ml-serving", "inference-c"]
    assert heal(context, BEFORE) == []
    [(_, detail)] = events(context, EventKind.HEAL_END)
    assert detail["resized"] == ["role inference: Deployment inference was scaled from 3 to 2 replicas meanwhile"]


def test_a_pod_that_no_budget_lets_go_keeps_a_residue_and_is_no_fault_alive(context: Context, cluster: FakeCluster) -> None:
    budget(cluster)
    signalled(cluster, "inference-a")
    kept = {"namespace": "ml-serving", "detail": "uid-inference-a", "ends_by_ns": 0}
    context.run.journal.will_undo(Undo(kind=UndoKind.REPLACE_POD, activity="kill", object="inference-a", **kept))
    assert heal(context, BEFORE) == []
    assert all(entry.done for entry in context.run.journal.entries())
    [(_, detail)] = events(context, EventKind.HEAL_END)
    assert detail["clean"] is True
    assert detail["residue"][0].startswith("residue: pod ml-serving/inference-a keeps an ended ephemeral container")
