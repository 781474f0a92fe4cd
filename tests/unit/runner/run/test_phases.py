"""The phases before healing, one by one, with fakes for the load, for what users feel, and for what probes and faults say."""

from __future__ import annotations

from typing import Any

import pytest

from history.budgets import Budgets
from history.clock import now_ns
from history.errors import FaultFailed, NoData
from history.plan import Phase, Timers
from history.schema import EventKind
from runner.drivers.driver import WorkloadFailed
from runner.messages import Kind
from runner.run.abort.conditions import overdue
from runner.run.context import Context, NotSteady, Unconfirmed
from runner.run.phases.baseline import baseline, longest_s
from runner.run.phases.confirm import confirm, look_again
from runner.run.phases.inject import inject
from runner.run.phases.observe import observe, recovered
from testing.runs.phases import events, with_load
from testing.runs.runner_parts import Sent, plan_of, scripted

pytestmark = pytest.mark.usefixtures("impatient")


def patient(context: Context) -> None:
    """Let nothing be over by time alone: what the test waits for is a state."""
    timers = context.run.plan.timers.model_copy(update={"confirm_s": 120.0, "deadline_s": 120.0})
    context.run.plan = context.run.plan.model_copy(update={"timers": timers})


# baseline


def test_a_steady_baseline_lasts_as_planned_and_is_marked_where_it_begins(context: Context) -> None:
    with_load(context)
    before_ns = now_ns()
    baseline(context)
    assert now_ns() - before_ns >= 0.2e9
    [(name, detail)] = events(context, EventKind.PHASE)
    assert (name, detail) == ("baseline", {"window": True})
    said = [detail["phase"] for _, detail in events(context, EventKind.HYPOTHESIS)]
    assert (said[0], set(said[1:])) == ("warm-up", {"baseline"})


def test_while_nothing_was_seen_yet_the_baseline_waits(context: Context) -> None:
    with_load(context)
    scripted["served"] = [NoData("nothing yet"), NoData("nothing yet"), 1.0]
    baseline(context)
    assert [detail["no_data"] for _, detail in events(context, EventKind.HYPOTHESIS)][:3] == [True, True, False]


def test_a_baseline_is_tried_once_more(context: Context) -> None:
    with_load(context)
    scripted["served"] = [1.0, 0.5, 1.0]
    baseline(context)
    assert len([1 for name, _ in events(context, EventKind.PHASE) if name == "baseline"]) == 2
    assert any("tried once more" in detail["text"] for _, detail in events(context, EventKind.NOTE))


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ([1.0, 0.5, 1.0, 0.5], "served: 0.5; expected 0.99 to 1.0"),
        ([NoData("Prometheus is down")], "Prometheus is down"),
        ([1.0, NoData("gone"), 1.0, float("nan")], "served: nan"),
    ],
)
def test_a_hypothesis_that_does_not_hold_twice_stops_the_run(context: Context, script: list[Any], why: str) -> None:
    with_load(context)
    scripted["served"] = script
    with pytest.raises(NotSteady, match="nothing was injected") as refused:
        baseline(context)
    assert why in str(refused.value)


def test_a_baseline_that_does_not_hold_says_what_was_seen_last(context: Context) -> None:
    with_load(context).text = lambda _window_s: "100% bad, mostly HTTP 401: no key"  # type: ignore[method-assign]
    scripted["served"] = [0.0]
    with pytest.raises(NotSteady, match=r"seen last: 100% bad, mostly HTTP 401: no key; repair the platform first"):
        baseline(context)


def test_a_slow_answer_lengthens_warming_up_and_the_baseline() -> None:
    quick = Timers(baseline_s=15, hold_s=1, confirm_s=1, deadline_s=1, heal_s=1)
    slow = quick.model_copy(update={"known_s": 41.0})
    assert longest_s(slow) - longest_s(quick) == 2 * 41


def test_too_few_arrivals_are_no_baseline(context: Context) -> None:
    with_load(context, lacks="only 19 of 20 arrivals were answered")
    with pytest.raises(NotSteady, match="only 19 of 20 arrivals were answered"):
        baseline(context)


def test_a_load_that_ends_by_itself_ends_the_baseline(context: Context) -> None:
    with_load(context, broken="load: it ended by itself with exit code 1")
    with pytest.raises(WorkloadFailed, match="exit code 1"):
        baseline(context)


# inject


def test_an_action_succeeds_and_names_its_targets(context: Context, sent: Sent) -> None:
    inject(context)
    [(name, detail)] = events(context, EventKind.FAULT_START)
    assert (name, detail["targets"]) == ("kill", ["inference-a"])
    assert context.log.t_fault_ns is not None
    assert context.toolkit_journal.run[0]["status"] == "succeeded"
    assert sent.texts(Kind.NOTE) == ["kill: inference-a"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"targets": []}, "without naming a target"),
        ([], "without naming a target"),
        (None, "without naming a target"),
        (FaultFailed("pod x: 403 Forbidden"), "403 Forbidden"),
        (KeyError("x"), "kill: 'x'"),
    ],
)
def test_an_action_that_fails_or_proves_nothing_stops_the_run(context: Context, answer: Any, said: str) -> None:
    scripted["kill"] = [answer]
    with pytest.raises(FaultFailed, match=said):
        inject(context)
    [(name, detail)] = events(context, EventKind.FAULT_FAILED)
    assert name == "kill"
    assert said in detail["error"]


def test_evidence_that_is_true_before_the_fault_proves_nothing_so_nothing_is_injected(context: Context) -> None:
    scripted["gone before"] = [True]
    with pytest.raises(Unconfirmed, match="true before the fault"):
        inject(context)
    assert not events(context, EventKind.FAULT_START)
    assert events(context, EventKind.FAULT_CONFIRMED) == [("gone", {"observed": "True"})]


@pytest.mark.parametrize("answer", [False, None, NoData("no pod yet"), RuntimeError("broken")])
def test_evidence_that_is_not_true_before_the_fault_lets_it_go_on(context: Context, answer: Any) -> None:
    scripted["gone before"] = [answer]
    inject(context)
    assert events(context, EventKind.FAULT_START)


# confirm


def test_evidence_that_becomes_true_confirms(context: Context, sent: Sent) -> None:
    patient(context)
    scripted["gone"] = [False, NoData("cannot see it yet"), True]
    context.log.event(EventKind.FAULT_START, "kill")
    confirm(context)
    [(name, detail)] = events(context, EventKind.FAULT_CONFIRMED)
    assert (name, detail["observed"]) == ("gone", "True")
    assert context.t_confirmed_ns is not None
    assert sent.texts(Kind.NOTE) == ["gone: seen, the fault acts"]


@pytest.mark.parametrize(("answer", "said"), [(False, "gone: False"), (NoData("no answer"), "gone: no answer"), (None, "gone: None")])
def test_a_fault_without_effect_is_not_confirmed(context: Context, answer: Any, said: str) -> None:
    scripted["gone"] = [answer]
    context.log.event(EventKind.FAULT_START, "kill")
    with pytest.raises(Unconfirmed, match="nothing can be concluded"):
        confirm(context)
    [(name, detail)] = events(context, EventKind.FAULT_UNCONFIRMED)
    assert (name, detail["observed"], detail["deadline_s"]) == ("gone", said, 0.4)


# observe


def test_observation_ends_when_users_are_served_and_the_hypothesis_holds_again(context: Context) -> None:
    patient(context)
    users = with_load(context, recovers_after=3)
    context.log.event(EventKind.FAULT_START, "kill", t_ns=now_ns())
    scripted["served"] = [0.5, 0.5, 1.0]
    observe(context)
    assert len(users.asked) >= 4
    assert {zero for zero, _ in users.asked} == {context.log.t_fault_ns}
    last = events(context, EventKind.HYPOTHESIS)[-1][1]
    assert (last["met"], last["phase"]) == (True, Phase.OBSERVE.value)
    assert context.toolkit_journal.after is not None
    assert context.toolkit_journal.after["steady_state_met"]


def test_observation_lasts_as_long_as_the_plan_says_however_early_all_is_well(context: Context) -> None:
    patient(context)
    timers = context.run.plan.timers.model_copy(update={"watch_s": 0.5})
    context.run.plan = context.run.plan.model_copy(update={"timers": timers})
    users = with_load(context, recovers_after=0)
    started_ns = context.log.event(EventKind.FAULT_START, "kill", t_ns=now_ns())
    observe(context)
    assert now_ns() - started_ns >= 0.5e9
    assert len(users.asked) > 2


def test_impact_that_comes_while_a_fault_is_watched_to_its_end_is_waited_for(context: Context) -> None:
    """All is well at first; impact begins before the watch is over, and it ends after it."""
    patient(context)
    timers = context.run.plan.timers.model_copy(update={"watch_s": 0.2})
    context.run.plan = context.run.plan.model_copy(update={"timers": timers})
    context.log.event(EventKind.FAULT_START, "kill", t_ns=now_ns())
    with_load(context)
    scripted["served"] = [1.0, *[0.5] * 40, 1.0]
    observe(context)
    said = [detail["met"] for _, detail in events(context, EventKind.HYPOTHESIS)]
    assert (said[0], said[-1], said.count(False)) == (True, True, 40)


def test_observation_ends_at_the_deadline_after_the_fault(context: Context) -> None:
    with_load(context, recovers_after=10_000)
    started_ns = context.log.event(EventKind.FAULT_START, "kill", t_ns=now_ns())
    observe(context)
    assert (now_ns() - started_ns) / 1e9 >= 0.6
    assert context.toolkit_journal.after is not None


@pytest.mark.parametrize(("lasts_s", "since_s", "looked"), [(45.0, 1.0, True), (45.0, 43.0, False), (0.0, 1.0, False)])
def test_the_evidence_of_a_fault_that_lasts_is_looked_at_again(context: Context, lasts_s: float, since_s: float, looked: bool) -> None:
    timers = context.run.plan.timers.model_copy(update={"fault_s": lasts_s})
    context.run.plan = context.run.plan.model_copy(update={"timers": timers})
    context.log.event(EventKind.FAULT_START, "kill", t_ns=now_ns() - int(since_s * 1e9))
    scripted["gone"] = [False]
    look_again(context)
    seen = events(context, EventKind.FAULT_EVIDENCE)
    assert seen == ([("gone", {"held": False, "observed": "False"})] if looked else [])


def test_evidence_that_cannot_be_seen_again_says_nothing(context: Context) -> None:
    timers = context.run.plan.timers.model_copy(update={"fault_s": 45.0})
    context.run.plan = context.run.plan.model_copy(update={"timers": timers})
    context.log.event(EventKind.FAULT_START, "kill", t_ns=now_ns())
    scripted["gone"] = [NoData("its container is being restarted")]
    look_again(context)
    assert not events(context, EventKind.FAULT_EVIDENCE)


def test_a_phase_that_hangs_is_overdue(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    met = overdue(context)
    with context.during(Phase.OBSERVE):
        assert met() is None
        monkeypatch.setattr(context, "phase_s", context.phase_s - 1000)
        found = met()
    assert found is not None
    assert found[0] == "time limit"
    assert "observe has lasted 1000 s" in found[1]
    with context.during(Phase.HEAL):
        monkeypatch.setattr(context, "phase_s", context.phase_s - 1000)
        assert met() is None  # what heals is never interrupted


def test_capacity_is_waited_for_only_if_it_is_budgeted(context: Context) -> None:
    with_load(context)
    context.observations.ready = {"inference": 2}
    zero_ns = now_ns()
    for budgets, nothing_left in ((Budgets(rto_s=30), True), (Budgets(rto_s=30, capacity_rto_s=30), False)):
        context.run.plan = plan_of(context.experiment, budgets=budgets)
        assert recovered(context, zero_ns, zero_ns) is nothing_left
