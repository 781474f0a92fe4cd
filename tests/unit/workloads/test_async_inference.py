"""Asynchronous inference as far as it is pure: settings, what an engine's answer means, what a job says of itself."""

from __future__ import annotations

import pytest

from workloads.async_inference.engine import EngineBroke, EngineUnavailable, Outcome, outcome
from workloads.async_inference.job import ID, End, Job, State
from workloads.async_inference.settings import Settings, from_environment
from workloads.environment import SettingRefused

FIELDS = {b"request": b"{}", b"state": b"queued", b"accepted_ms": b"1000"}


def test_settings_come_from_the_environment_and_the_rest_keeps_its_default() -> None:
    read = from_environment({"QUEUE_LIMIT": "7", "RECLAIM_S": "1.5", "REDIS_URL": "redis://there:1/0", "PATH": "/bin"})
    assert read == Settings(queue_limit=7, reclaim_s=1.5, redis_url="redis://there:1/0")
    assert read.renew_s == 0.5


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"QUEUE_LIMIT": "many"}, "environment variable QUEUE_LIMIT is 'many', expected a value of type int"),
        ({"RECLAIM_S": "0"}, "setting RECLAIM_S is 0.0, expected more than 0"),
        ({"RETRY_S": "-1"}, "setting RETRY_S is -1.0, expected 0 or more"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingRefused) as refused:
        from_environment(environment)
    assert str(refused.value) == said


def test_an_answer_is_the_end_of_a_job() -> None:
    assert outcome(200, b"text") == Outcome(State.DONE, b"text")


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_request_that_is_refused_has_failed_for_good(status: int) -> None:
    assert outcome(status, b"why") == Outcome(State.FAILED, b"why")


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_an_engine_that_is_not_there_is_no_fault_of_the_request(status: int) -> None:
    with pytest.raises(EngineUnavailable, match=str(status)):
        outcome(status, b"")


@pytest.mark.parametrize("status", [500, 501, 302])
def test_an_engine_that_breaks_on_a_request_counts_as_a_delivery(status: int) -> None:
    with pytest.raises(EngineBroke, match=f"{status}: boom"):
        outcome(status, b"boom")


def test_a_job_says_how_far_it_is() -> None:
    queued = Job.of("a", FIELDS)
    assert (queued.state.ended, queued.attempts, queued.shown()["cancelled"]) == (False, 0, False)
    more = {b"state": b"dead", b"attempts": b"4", b"cancelled_ms": b"1500", b"ended_ms": b"2000"}
    dead = Job.of("a", FIELDS | more)
    assert dead.state.ended
    assert dead.shown() == {"id": "a", "state": "dead", "accepted_ms": 1000, "attempts": 4, "cancelled": True, "ended_ms": 2000}


def test_an_end_says_what_the_stream_holds() -> None:
    fields = {b"id": b"a", b"state": b"done", b"attempts": b"2", b"accepted_ms": b"1", b"ended_ms": b"3", b"cancelled": b"1"}
    assert End.of(b"5-0", fields) == End("5-0", "a", State.DONE, 2, 1, 3, cancelled=True)


@pytest.mark.parametrize("text", ["", "-a", "_a", "a/b", "a" * 65, "a b", "é"])
def test_what_can_be_no_id(text: str) -> None:
    assert ID.fullmatch(text) is None
