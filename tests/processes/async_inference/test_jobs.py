"""Asynchronous inference with a real Redis: what is accepted is done once, whoever is killed meanwhile."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from testing.async_inference.engine import Engine, at_once, engine, gone
from testing.async_inference.stack import ANSWER_S, Stack, stack
from testing.waiting import wait_for

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="Redis is not installed: apt-get install redis-server")
QUICK = {"RECLAIM_S": "1", "RETRY_S": "0.1", "MAX_DELIVERIES": "3"}


@pytest.fixture(scope="module")
def served() -> Iterator[Engine]:
    with engine() as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, served: Engine) -> Iterator[Stack]:
    """Redis and the API, which start up once; what a test killed is started again for the next one."""
    with stack(tmp_path_factory.mktemp("stack"), served.url, (), QUEUE_LIMIT="5", **QUICK) as made:
        yield made


@pytest.fixture
def asked(served: Engine) -> Engine:
    served.answering = at_once
    served.asked.clear()
    return served


@pytest.fixture
def queued(shared: Stack, asked: Engine) -> Iterator[Stack]:
    """An empty queue with one consumer."""
    shared.emptied()
    shared.start_consumer("one")
    yield shared
    for name in {*shared.running} - {"redis", "api"}:
        shared.kill(name)


class Held:
    """Lets an engine keep every answer back until it is let go."""

    def __init__(self, engine: Engine) -> None:
        self._go, self._begun, self._engine = threading.Event(), threading.Event(), engine
        engine.answering = self._wait

    def _wait(self, _job: str, _request: dict[str, object]) -> int:
        self._begun.set()
        self._go.wait()
        return 200

    def begun(self) -> None:
        assert self._begun.wait(60), "nobody asked the engine"

    def go(self) -> None:
        self._engine.answering = at_once
        self._go.set()


def done(stack: Stack, job: str) -> None:
    wait_for(lambda: stack.state(job) == "done", f"job {job} is done", 60)


def test_it_is_submitted_polled_and_fetched(queued: Stack, asked: Engine) -> None:
    job = queued.accepted("hello")
    done(queued, job)
    assert queued.get(f"/v1/jobs/{job}/result")["choices"][0]["text"] == "answer to hello"
    assert [(end["id"], end["state"], end["attempts"]) for end in queued.ends()] == [(job, "done", 1)]
    assert (asked.asked[job], queued.get("/v1/queue")["depth"]) == (1, 0)


def test_work_waits_for_an_engine_that_is_gone_and_the_queue_is_bounded(queued: Stack, asked: Engine) -> None:
    asked.answering = gone
    jobs = [queued.accepted(str(number)) for number in range(5)]
    refused = queued.submit("one too many")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    wait_for(lambda: sum(asked.asked.values()) > 3, "the engine was asked again and again", 60)
    seen = queued.get("/v1/queue")
    assert (seen["depth"], seen["limit"]) == (5, 5)
    assert seen["oldest_s"] > 0
    assert queued.get(f"/v1/jobs/{jobs[0]}/result") is None
    asked.answering = at_once
    wait_for(lambda: len(queued.ends()) == 5, "all have ended", 60)
    assert [(end["id"], end["state"], end["attempts"]) for end in queued.ends()] == [(job, "done", 1) for job in jobs]
    assert queued.submit("there is room again").status_code == 202


def test_a_cancelled_job_is_done_and_can_be_fetched(queued: Stack, asked: Engine) -> None:
    held = Held(asked)
    job = queued.accepted("nobody waits for me")
    held.begun()
    said = requests.delete(f"{queued.url}/v1/jobs/{job}", timeout=ANSWER_S)
    assert (said.status_code, said.json()["cancelled"]) == (202, True)
    held.go()
    done(queued, job)
    assert queued.get(f"/v1/jobs/{job}/result")["choices"][0]["text"] == "answer to nobody waits for me"
    assert [end["cancelled"] for end in queued.ends()] == [True]
    assert requests.delete(f"{queued.url}/v1/jobs/nobody", timeout=ANSWER_S).status_code == 404


def test_a_consumer_killed_in_mid_work_leaves_it_to_another_which_is_told(queued: Stack, asked: Engine) -> None:
    held = Held(asked)
    job = queued.accepted("again")
    held.begun()
    queued.kill("one")
    held.go()
    queued.start_consumer("two")
    done(queued, job)
    assert [(end["id"], end["attempts"]) for end in queued.ends()] == [(job, 2)]
    assert asked.asked[job] == 2


def test_a_frozen_consumer_that_comes_back_does_not_end_a_job_twice(queued: Stack, asked: Engine) -> None:
    held = Held(asked)
    job = queued.accepted("once")
    held.begun()
    frozen = queued.running["one"]
    frozen.send_signal(signal.SIGSTOP)
    queued.start_consumer("two")
    wait_for(lambda: asked.asked[job] == 2, "another consumer took it", 60)
    held.go()
    done(queued, job)
    frozen.send_signal(signal.SIGCONT)
    later = queued.accepted("after that")
    done(queued, later)
    assert [(end["id"], end["attempts"]) for end in queued.ends()] == [(job, 2), (later, 1)]


def test_a_consumer_that_is_told_to_leave_finishes_what_an_engine_has(queued: Stack, asked: Engine) -> None:
    held = Held(asked)
    job = queued.accepted("last")
    held.begun()
    queued.running["one"].terminate()
    held.go()
    assert queued.leave("one") == 0
    assert [(end["id"], end["attempts"]) for end in queued.ends()] == [(job, 1)]


def test_a_consumer_that_is_told_to_leave_gives_back_what_waits(queued: Stack, asked: Engine) -> None:
    asked.answering = gone
    job = queued.accepted("waiting")
    wait_for(lambda: asked.asked[job] > 1, "it waits for an engine", 60)
    assert queued.leave("one") == 0
    assert queued.get(f"/v1/jobs/{job}")["attempts"] == 0
    asked.answering = at_once
    queued.start_consumer("two")
    done(queued, job)
    assert [end["attempts"] for end in queued.ends()] == [1]


def test_a_poison_message_becomes_a_dead_letter_and_the_rest_is_done(queued: Stack, asked: Engine) -> None:
    def breaks(_job: str, request: dict[str, object]) -> int:
        return 500 if request["prompt"] == "poison" else 200

    asked.answering = breaks
    poison, well = queued.accepted("poison"), queued.accepted("well")
    wait_for(lambda: queued.state(poison) == "dead", "the poison is set aside", 60)
    done(queued, well)
    assert {end["id"]: (end["state"], end["attempts"]) for end in queued.ends()} == {poison: ("dead", 3), well: ("done", 1)}
    assert asked.asked[poison] == 3
    [letter] = queued.get("/v1/dead")["dead"]
    assert (letter["id"], letter["reason"]) == (poison, "work on it was begun 3 times and never came to an end")
    said = requests.get(f"{queued.url}/v1/jobs/{poison}/result", timeout=ANSWER_S)
    assert (said.status_code, said.json()["error"].split(":")[0]) == (500, f"job {poison} is dead")


def test_what_kills_each_consumer_becomes_a_dead_letter(queued: Stack, asked: Engine) -> None:
    names = iter(["one", "two", "three", "four"])

    def kills(_job: str, request: dict[str, object]) -> int:
        if request["prompt"] != "deadly":
            return 200
        queued.running[next(names)].kill()
        return 200

    asked.answering = kills
    job = queued.accepted("deadly")
    for number, name in enumerate(("two", "three"), 1):
        wait_for(lambda: asked.asked[job] == number, "it killed one more", 60)  # noqa: B023 - called here
        queued.start_consumer(name)
    wait_for(lambda: asked.asked[job] == 3, "it killed the third", 60)
    queued.start_consumer("four")
    wait_for(lambda: queued.state(job) == "dead", "it is set aside", 60)
    assert queued.running["four"].poll() is None
    assert [(end["id"], end["attempts"]) for end in queued.ends()] == [(job, 3)]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [({"id": b"\xff\xfe"}, "no job of this id"), ({"x": "y"}, "no job of this id"), ({"id": "text"}, "its job cannot be read")],
)
def test_an_entry_that_leads_to_no_job_is_a_dead_letter_at_once(queued: Stack, entry: Any, reason: str) -> None:
    queued.redis.set("jobs:job:text", "no hash")
    queued.redis.xadd("jobs:queue", entry)
    [letter] = wait_for(lambda: queued.get("/v1/dead")["dead"], "it is set aside", 60)
    assert letter["reason"] == reason
    done(queued, queued.accepted("well"))
    assert queued.get("/v1/queue")["depth"] == 0


def test_a_request_that_the_engine_refuses_has_failed(queued: Stack, asked: Engine) -> None:
    asked.answering = lambda _job, _request: 400
    job = queued.accepted("wrong")
    wait_for(lambda: queued.state(job) == "failed", "it has failed", 60)
    assert requests.get(f"{queued.url}/v1/jobs/{job}/result", timeout=ANSWER_S).status_code == 422
    assert asked.asked[job] == 1


def test_the_same_key_is_the_same_job(queued: Stack) -> None:
    assert [queued.submit("mine", "key-1").status_code for _ in range(2)] == [202, 202]
    other = queued.submit("another", "key-1")
    assert (other.status_code, other.json()["error"]) == (409, "id key-1 is another request's")
    done(queued, "key-1")
    assert [end["id"] for end in queued.ends()] == ["key-1"]


@pytest.mark.parametrize(
    ("body", "key", "status", "said"),
    [
        ("[1]", None, 400, "the request is list, expected a JSON object"),
        ("{", None, 400, "the request is not JSON"),
        ('{"stream": true}', None, 400, "stream is set"),
        ("{" + " " * 70_000 + "}", None, 413, "at most 65536 are taken"),
        ("[" * 60_000, None, 400, "the request is not JSON"),
        ("{}", "../x", 400, "Idempotency-Key '../x' can be no id"),
    ],
)
def test_what_is_no_request_is_refused_in_a_sentence(queued: Stack, body: str, key: str | None, status: int, said: str) -> None:
    headers = {"idempotency-key": key} if key else {}
    answer = requests.post(f"{queued.url}/v1/jobs", data=body, headers=headers, timeout=ANSWER_S)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text
    assert queued.get("/v1/queue")["depth"] == 0


def test_what_was_accepted_outlives_a_killed_redis(queued: Stack, asked: Engine) -> None:
    asked.answering = gone
    jobs = [queued.accepted(str(number)) for number in range(4)]
    queued.kill("redis")
    down = queued.submit("nobody can keep me")
    assert (down.status_code, down.headers["retry-after"]) == (503, "1")
    queued.start_redis()
    asked.answering = at_once
    wait_for(lambda: len(queued.ends()) == 4, "all have ended", 60)
    assert [end["id"] for end in queued.ends()] == jobs
    assert all(queued.get(f"/v1/jobs/{job}/result") for job in jobs)


def test_a_result_is_kept_if_redis_is_killed_while_the_engine_works(queued: Stack, asked: Engine) -> None:
    held = Held(asked)
    job = queued.accepted("meanwhile")
    held.begun()
    queued.kill("redis")
    held.go()
    queued.start_redis()
    done(queued, job)
    assert [end["id"] for end in queued.ends()] == [job]


def test_prometheus_is_told_depth_and_age(queued: Stack, asked: Engine) -> None:
    asked.answering = gone
    queued.accepted("waiting")
    text = requests.get(f"{queued.url}/metrics", timeout=ANSWER_S).text
    values = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if not line.startswith("#")}
    assert (values["async_inference_queue_depth"], values["async_inference_dead_letters"]) == (1, 0)
    assert values["async_inference_oldest_seconds"] >= 0
    queued.kill("redis")
    assert requests.get(f"{queued.url}/metrics", timeout=ANSWER_S).status_code == 503


def test_a_consumer_that_acknowledges_first_loses_its_job_when_it_is_killed(queued: Stack, asked: Engine) -> None:
    queued.kill("one")
    queued.start_consumer("hasty", ACKNOWLEDGE="first")
    held = Held(asked)
    lost = queued.accepted("nobody knows of me")
    held.begun()
    assert queued.get("/v1/queue")["depth"] == 0
    queued.kill("hasty")
    held.go()
    queued.start_consumer("two")
    done(queued, queued.accepted("after that"))
    assert queued.state(lost) == "running"
    queued.kill("two")
    queued.start_consumer("hasty", ACKNOWLEDGE="first")
    done(queued, queued.accepted("as long as nobody is killed"))


def test_a_consumer_that_sets_nothing_aside_dies_of_an_entry_that_leads_to_no_job(queued: Stack, asked: Engine) -> None:
    queued.kill("one")
    queued.redis.xadd("jobs:queue", {"id": "nobody"})
    queued.start_consumer("frail", UNREADABLE="crash")
    assert queued.running.pop("frail").wait(60) == 1
    assert "leads to no job" in (queued.folder / "frail.log").read_text()
    assert queued.get("/v1/queue")["depth"] == 1
    queued.start_consumer("two")
    wait_for(lambda: queued.get("/v1/queue")["depth"] == 0, "it is set aside", 60)
    assert sum(asked.asked.values()) == 0
