"""Conditions that stop a run, conditions without a value, and blackout windows."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from history.errors import NoData, TargetRefused
from runner.preflight.blackouts import refuse_blackout
from runner.run.abort import stop_when
from runner.run.abort.conditions import Conditions
from runner.stop import Stop
from target.stop_when import Blackout, StopWhen
from testing.platform.bystander import Bystander, bystander
from testing.platform.fake_cluster import local_target


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
    condition = stop_when.Expression(local_target().only_region(), StopWhen(promql="errors", above=5))
    assert condition.met() is None
    assert condition.met() is None
    assert condition.met() == ("stop condition", "errors is 5.1, above 5")


def test_an_expression_that_nobody_can_see_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(stop_when.time, "monotonic", lambda: clock[0])
    answers(monkeypatch, [None, NoData("away"), None])
    condition = stop_when.Expression(local_target().only_region(), StopWhen(promql="errors", above=5))
    assert condition.met() is None
    clock[0] = 9.0
    assert condition.met() is None
    clock[0] = 11.0
    found = condition.met()
    assert found
    assert "has had no value for 11 s, at most 10 s are allowed: whether it is met cannot be known" in found[1]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (9.0, "already met: errors is 9, above 5"),
        (None, "it has no value now"),
        (NoData("Prometheus is away"), "Prometheus is away; whether it is met cannot be known; nothing was injected"),
    ],
)
def test_a_condition_that_is_met_or_blind_at_preflight_refuses_the_run(
    monkeypatch: pytest.MonkeyPatch, value: float | Exception | None, said: str
) -> None:
    answers(monkeypatch, [value])
    with pytest.raises(TargetRefused, match=said):
        stop_when.refuse_met(local_target().only_region(), (StopWhen(promql="errors", above=5),))


def test_a_bystander_that_is_down_at_preflight_refuses_the_run(service: Bystander) -> None:
    stop_when.refuse_met(local_target().only_region(), (written(service),))
    service.status = 500
    with pytest.raises(TargetRefused, match="does not answer well"):
        stop_when.refuse_met(local_target().only_region(), (written(service),))


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
