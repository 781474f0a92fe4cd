"""Conditions that stop a run, conditions without a value, and blackout windows."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from history.errors import TargetRefused
from runner.preflight.blackouts import refuse_blackout
from runner.run.abort import stop_when
from runner.run.abort.conditions import Conditions
from runner.stop import Stop
from target.stop_when import Blackout, StopWhen
from testing.platform.bystander import Bystander, bystander
from testing.platform.fake_cluster import local_target
from testing.platform.prometheus_server import PrometheusServer, prometheus_server, region_of, scalar, vector
from testing.waiting import wait_for


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


@pytest.fixture
def server() -> Iterator[PrometheusServer]:
    with prometheus_server() as made:
        yield made


def expression(server: PrometheusServer, window_s: float = 10.0) -> stop_when.Expression:
    return stop_when.Expression(region_of(server), StopWhen(promql="errors", above=5, window_s=window_s))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the conditions take for the time: the first of the list."""
    now = [0.0]
    monkeypatch.setattr(stop_when.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("answer", [lambda value: vector((value, {})), scalar], ids=["a vector", "a scalar"])
def test_an_expression_stops_the_run_when_it_rises(server: PrometheusServer, answer: Callable[[float], dict[str, Any]]) -> None:
    condition, seen = expression(server), []
    for value in (0.0, 5.0, 5.1):
        server.answers["errors"] = answer(value)
        seen.append(condition.met())
    assert seen == [None, None, ("stop condition", "errors is 5.1, above 5")]


def test_of_several_series_the_largest_counts_and_is_named(server: PrometheusServer) -> None:
    server.answers["errors"] = vector((0.0, {"code": "500"}), (500.0, {"code": "502"}))
    assert expression(server).met() == ("stop condition", 'errors is 500 ({code="502"}), above 5')
    server.answers["errors"] = vector((0.0, {"code": "500"}), (float("inf"), {"code": "502"}), (float("nan"), {"code": "504"}))
    assert expression(server).met() == ("stop condition", 'errors is inf ({code="502"}), above 5')


def test_an_expression_that_nobody_can_see_stops_the_run(server: PrometheusServer, clock: list[float]) -> None:
    condition = expression(server)
    assert (condition.met(), condition.blind()) == (None, None)
    server.say({"message": "rate limit"})
    clock[0] = 9.0
    assert (condition.met(), condition.blind()) == (None, None)
    clock[0] = 11.0
    found = condition.blind()
    assert found
    said = r"errors has had no value for 11 s, since \d\d:\d\d:\d\d UTC, at most 10 s are allowed: whether it is met cannot be known; "
    assert re.match(said + r"Prometheus answered last: .*rate limit", found[1])


def test_a_value_between_ends_the_blindness_and_what_is_met_then_stops(server: PrometheusServer, clock: list[float]) -> None:
    condition = expression(server)
    server.say({"message": "rate limit"})
    assert condition.met() is None
    clock[0], server.foreign = 9.0, None
    server.answers["errors"] = vector((0.0, {}))
    assert condition.met() is None
    clock[0] = 18.0
    assert condition.blind() is None
    server.answers["errors"] = vector((9.0, {}))
    assert condition.met() == ("stop condition", "errors is 9, above 5")


def test_a_question_that_hangs_is_blind_too(monkeypatch: pytest.MonkeyPatch, server: PrometheusServer) -> None:
    monkeypatch.setattr("runner.run.abort.conditions.PERIOD_S", 0.01)
    hanging, asked = threading.Event(), threading.Event()

    def hangs() -> dict[str, Any]:
        asked.set()
        hanging.wait(30)
        return vector()

    server.answers["errors"] = hangs
    written = StopWhen(promql="errors", above=5)
    conditions = stop_when.stop_conditions(region_of(server), (written.model_copy(update={"window_s": 0.1}),))
    stop = Asked()
    watching = Conditions(stop, conditions)
    watching.start()
    assert asked.wait(30)
    wait_for(lambda: stop.request is not None, "the run is asked to stop")
    assert not hanging.is_set()
    assert stop.request
    assert "Prometheus answered last: nothing as yet" in stop.request.reason
    hanging.set()
    watching.join(30)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (vector((9.0, {})), "already met: errors is 9, above 5"),
        (scalar(9.0), "already met: errors is 9, above 5"),
        (vector((0.0, {"a": "1"}), (500.0, {"a": "2"})), r'already met: errors is 500 .\{a="2"\}., above 5'),
        (vector(), r"it has no value now.*nothing was injected; correct it: rate.*takes two scrapes"),
        (None, "rate limit.*whether it is met cannot be known; nothing was injected"),
    ],
    ids=["met", "a scalar", "of two the second", "no value", "foreign words"],
)
def test_a_condition_that_is_met_or_blind_at_preflight_refuses_the_run(
    server: PrometheusServer, data: dict[str, Any] | None, said: str
) -> None:
    if data is None:
        server.say({"message": "rate limit"})
    else:
        server.answers["errors"] = data
    with pytest.raises(TargetRefused, match=said):
        stop_when.refuse_met(region_of(server), (StopWhen(promql="errors", above=5),))


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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_guard_that_dies_stops_the_run_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.run.abort.conditions.PERIOD_S", 0.01)

    def guard_of_something() -> tuple[str, str] | None:
        raise TypeError("list indices must be integers")

    stop = Asked()
    conditions = Conditions(stop, [guard_of_something, lambda: None])
    conditions.start()
    conditions.join(30)
    assert stop.request
    assert stop.request.by == "guard"
    said = r"the guard .*guard_of_something ended by TypeError: list indices must be integers; whether it is met cannot be known"
    assert re.match(said, stop.request.reason)


def test_a_run_that_would_meet_a_blackout_window_is_refused() -> None:
    window = Blackout(why="payroll", start="12:00", end="13:00")
    target, begin = local_target(blackouts=[window]), datetime(2026, 11, 2, 11, 55, tzinfo=UTC)
    refuse_blackout(target, begin, 240)
    with pytest.raises(TargetRefused, match=r"from Mon 2026-11-02 12:00 to .* 13:00 UTC .payroll., and the run may last until 12:01 UTC"):
        refuse_blackout(target, begin, 360)
    with pytest.raises(TargetRefused, match="and it is open now; nothing was injected"):
        refuse_blackout(target, datetime(2026, 11, 2, 12, 30, tzinfo=UTC), 1)
