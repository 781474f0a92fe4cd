"""Stopping: by signal, by a thread, once; never under a shield."""

from __future__ import annotations

import os
import signal
import threading

import pytest
import urllib3
from kubernetes.client.exceptions import ApiException

from runner.run.abort.conditions import ANNOTATION, Conditions, asked_by_annotation, parent_gone
from runner.stop import Interrupted, Stop
from testing.platform.fake_cluster import FakeCluster


@pytest.fixture
def stop() -> Stop:
    made = Stop()
    made.install()
    return made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_a_wait_and_says_who(stop: Stop, number: signal.Signals) -> None:
    threading.Timer(0.05, lambda: os.kill(os.getpid(), number)).start()
    with pytest.raises(Interrupted) as caught:
        stop.wait(30)
    assert caught.value.by == number.name


def test_an_interruption_passes_through_what_catches_every_exception(stop: Stop) -> None:
    def act() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception:  # noqa: BLE001 - as chaoslib does around every activity
            pytest.fail("swallowed")

    with pytest.raises(Interrupted):
        act()


def test_a_thread_interrupts_the_main_one(stop: Stop) -> None:
    threading.Timer(0.05, lambda: stop.ask("lease", "lost")).start()
    with pytest.raises(Interrupted) as caught:
        stop.wait(30)
    assert (caught.value.by, caught.value.reason) == ("lease", "lost")


def test_the_first_request_counts(stop: Stop) -> None:
    with pytest.raises(Interrupted):
        stop.ask("lease", "lost")
    stop.ask("parent", "gone")
    with pytest.raises(Interrupted) as caught:
        stop.check()
    assert caught.value.by == "lease"


def test_nothing_interrupts_under_a_shield(stop: Stop) -> None:
    with stop.shielded():
        os.kill(os.getpid(), signal.SIGTERM)
        stop.wait(0.01)
        stop.check()
    assert stop.request is not None


def test_an_exposed_block_under_a_shield_is_interrupted_and_the_shield_stands_again(stop: Stop) -> None:
    with stop.shielded():
        with pytest.raises(Interrupted), stop.exposed():
            os.kill(os.getpid(), signal.SIGTERM)
        stop.wait(0.01)


def test_a_request_from_before_interrupts_an_exposed_block_at_once(stop: Stop) -> None:
    with stop.shielded():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted), stop.exposed():
            pytest.fail("went on")


def test_later_requests_are_answered(stop: Stop) -> None:
    said: list[str] = []
    stop._on_repeat = said.append
    with stop.shielded():
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
    assert len(said) == 2


# stop conditions


def test_anyone_may_stop_a_run_by_an_annotation(cluster: FakeCluster) -> None:
    class Annotated(FakeCluster):
        annotations: dict[str, str] | None = None

        def read_namespace(self, name: str) -> object:
            found = super().read_namespace(name)
            found.metadata.annotations = self.annotations
            return found

    asked = Annotated()
    met = asked_by_annotation(asked.platform())
    assert met() is None
    asked.annotations = {ANNOTATION: "false"}
    assert met() is None
    asked.annotations = {ANNOTATION: "true"}
    found = met()
    assert found is not None
    assert "ml-serving" in found[1]


@pytest.mark.parametrize("error", [ApiException(status=503), urllib3.exceptions.HTTPError("no route")])
def test_an_api_server_that_is_away_stops_nobody(error: Exception) -> None:
    class Away(FakeCluster):
        def read_namespace(self, _name: str) -> object:
            raise error

    assert asked_by_annotation(Away().platform())() is None


def test_a_namespace_that_vanishes_stops_the_run(cluster: FakeCluster) -> None:
    met = asked_by_annotation(cluster.platform())
    assert met() is None
    cluster.namespaces.clear()
    found = met()
    assert found is not None
    assert found[1].startswith("namespace ml-serving is gone or being deleted; it was there in preflight")


def test_a_run_whose_parent_is_gone_stops() -> None:
    assert parent_gone(os.getppid())() is None
    assert parent_gone(1 if os.getppid() != 1 else 2)() is not None


def test_a_condition_that_is_met_stops_the_run(stop: Stop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.run.abort.conditions.PERIOD_S", 0.01)
    answers = iter([None, ("stop condition", "somebody asked")])
    conditions = Conditions(stop, [lambda: next(answers)])
    with stop.shielded():
        conditions.start()
        conditions.join(10)
    with pytest.raises(Interrupted) as caught:
        stop.check()
    assert caught.value.reason == "somebody asked"
