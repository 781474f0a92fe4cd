"""Prometheus as people run it: how it lets the suite in, how often it scrapes, what it has of whom, and guards that ask it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from unittest.mock import patch

from bench.field.cases import Seen, case
from history.errors import AftershockError, NoData
from kube.client import Platform
from probes.prometheus.gauge import find, read
from probes.prometheus.values import query
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.steady_state import for_target
from runner.preflight.queue_gauge import queue_source
from runner.run.abort import stop_when
from runner.run.abort.conditions import Conditions
from runner.stop import Stop
from target.role import Metrics
from target.stop_when import StopWhen
from target.target import Target
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target
from testing.platform.prometheus_server import PrometheusServer, Scraped, prometheus_server, region_of, scalar, vector, waiting
from testing.waiting import wait_for

PART = "prometheus"
PODS = ("inference-a", "inference-b", "inference-c")
KILLED = ROOT / "experiments/serving/replica-killed.yaml"
FOREIGN = {"message": "rate limit"}


def on(target: Target) -> tuple[Experiment, Platform]:
    """Return a shipped experiment as it runs on ``target``, and the platform."""
    return for_target(read_experiment(KILLED, ROOT / "experiments"), target), FakeCluster().platform(target)


def said(function: Callable[[], object]) -> str:
    """Return what ``function`` gives, or the sentence by which it refuses."""
    try:
        return str(function())
    except AftershockError as error:
        return f"{type(error).__name__}: {error}"


def queue_of(server: PrometheusServer, **declared: object) -> Seen:
    """Return what preflight says of the queue, and its depth."""
    target = local_target(prometheus={"url": server.url} | declared)
    found = queue_source(*on(target))
    if found.gauge is None:
        return Seen("no queue", right=False)
    return Seen(f"{read(found.gauge).value:g} wait; a value may be {found.gauge.fresh_s:g} s old; {'; '.join(found.remarks)}", right=True)


def scraped_every(every_s: float, fresh_s: float) -> None:
    """Register a Prometheus that scrapes so often."""

    @case(PART, f"Prometheus that scrapes every {every_s:g} s", "freshness from the series' interval, its cost said")
    def run() -> Seen:
        with prometheus_server(*(waiting(2, pod, every_s=every_s) for pod in PODS)) as server:
            seen = queue_of(server)
        right = f"6 wait; a value may be {fresh_s:g} s old; " in seen.text and f"is scraped every {every_s:g} s" in seen.text
        return Seen(seen.text, right)


scraped_every(15, 22.5)
scraped_every(30, 45)


@case(PART, "no Prometheus in the target at all", "queue left out of the hypothesis, said")
def none() -> Seen:
    """Look at the hypothesis of a shipped experiment."""
    experiment, platform = on(local_target(prometheus=None))
    names, source = [probe.name for probe in experiment.hypothesis.probes], queue_source(experiment, platform)
    right = names == ["users-are-served", "answers-are-fast", "no-replica-is-missing"] and len(experiment.left_out) == 1
    return Seen(f"asks {', '.join(names)}; left out: {'; '.join(experiment.left_out)}", right and source.gauge is None)


def named(given: str, series: Scraped, right: str, wanted: str, metric: str = "") -> None:
    """Register a queue by a name."""

    @case(PART, given, right)
    def run() -> Seen:
        role = local_target().roles["inference"].model_copy(update={"metrics": Metrics(queue=metric or None)})
        with prometheus_server(series) as server:
            text = said(lambda: read(find(region_of(server), role, "waiting", role.queue_metric)).value)
        return Seen(text, wanted in text)


named(
    "queue metric of another engine (`ray_vllm:…`)",
    waiting(4, __name__="ray_vllm:num_requests_waiting"),
    "found by asking what exists",
    "4.0",
)
named("a queue by the role's own name", waiting(4, __name__="my_queue"), "taken", "4.0", "my_queue")
named("a role's own name that Prometheus has not", waiting(4), "said, with what it has", "it has vllm:num_requests_waiting", "my_queue")


@case(PART, "Prometheus that needs a bearer token and `X-Scope-OrgID`; URL with a prefix and a trailing slash", "keys for it; slash ok")
def let_in() -> Seen:
    """Ask with what the target file may say, then without the tenant."""
    with prometheus_server() as server, patch.dict(os.environ, {"FIELD_TOKEN": "a-token", "FIELD_TENANT": "blue"}):
        server.answers["x"] = vector((3.0, {}))
        server.wanted = {"Authorization": "Bearer a-token", "X-Scope-OrgID": "blue"}
        auth, url = {"bearer_env": "FIELD_TOKEN"}, f"{server.url}/prometheus/"
        inside = said(lambda: query(region_of(server, url=url, auth=auth, headers={"X-Scope-OrgID": {"env": "FIELD_TENANT"}}), "x"))
        outside = said(lambda: query(region_of(server, url=url, auth=auth), "x"))
    return Seen(f"{inside}; without the tenant: {outside}", inside == "3.0" and "401" in outside and "is it up" not in outside)


def blamed(given: str, wanted: str, status: int, body: object, **headers: str) -> None:
    """Register something that answers in Prometheus' place."""

    @case(PART, given, f"said: {wanted}")
    def run() -> Seen:
        with prometheus_server() as server:
            server.say(body, status, **headers)
            text = said(lambda: query(region_of(server), "x"))
        return Seen(text, wanted in text and "is it up" not in text)


blamed("a log-in page with 200", "something answers in its place", 200, "<html>log in</html>")
blamed('200 with `{"message": "rate limit"}`', "something answers in its place", 200, FOREIGN)
blamed("a redirect to a log-in", "Location https://login.example", 302, "", Location="https://login.example")
blamed("its API at another path", "write url with its path's prefix", 404, "404 page not found")
PART_OF_IT = {"status": "success", "data": vector((3.0, {}))}
blamed("a partial response (warnings of a store)", "store eu-1 is gone", 200, PART_OF_IT | {"warnings": ["store eu-1 is gone"]})
blamed("a partial response of VictoriaMetrics, without a warning", "a part of its data (isPartial)", 200, PART_OF_IT | {"isPartial": True})
blamed("a query that does not parse", "correct the query", 400, {"status": "error", "errorType": "bad_data", "error": "parse error"})


@case(PART, "one Prometheus for many namespaces: own queue 0, a neighbour's 5,000", "0")
def neighbours() -> Seen:
    """Ask by the class's hypothesis."""
    with prometheus_server(waiting(0), waiting(5000, namespace="neighbour")) as server:
        seen = queue_of(server)
    return Seen(seen.text, seen.text.startswith("0 wait"))


@case(PART, "a series scraped twice (PodMonitor and ServiceMonitor); two ranks scraped twice", "6; 6 and 4 are 10")
def scraped_twice() -> Seen:
    """Ask for one engine, then for two."""
    again = partial(waiting, job="services", service="vllm", endpoint="http")
    with prometheus_server(waiting(6), again(6)) as server:
        one = queue_of(server).text
        server.series += [waiting(4, engine="1"), again(4, engine="1")]
        two = queue_of(server).text
    return Seen(f"{one}; {two}", one.startswith("6 wait") and two.startswith("10 wait"))


@case(PART, "a Prometheus of another cluster", "said by its labels")
def another_cluster() -> Seen:
    """Let it have the queue of pods that nobody knows here."""
    with prometheus_server(waiting(2, "inference-x", cluster="us")) as server:
        text = said(lambda: queue_of(server))
        declared = said(lambda: queue_of(server, labels={"cluster": "eu"}))
    return Seen(f"{text}; {declared}", 'cluster="us"' in text and 'cluster="us"' in declared)


class Asked(Stop):
    """Only notes who asks to stop."""

    def ask(self, by: str, reason: str) -> None:
        """Note it."""
        self._note(by, reason)


def heard(server: PrometheusServer, before: int, stop: Stop) -> bool:
    """Tell whether more was asked than ``before``, or the run was asked to stop."""
    return len(server.queries) > before or stop.request is not None


def guarded(server: PrometheusServer, *changes: Callable[[], None], window_s: float = 60) -> str:
    """Return by what a run is stopped that a condition guards, after each of ``changes`` was asked about."""
    stop = Asked()
    watching = Conditions(stop, stop_when.stop_conditions(region_of(server), (StopWhen(promql="errors", above=5, window_s=window_s),)))
    watching.start()
    for change in changes:
        change()
        asked = len(server.queries) + 1  # the one under way may be of before
        wait_for(partial(heard, server, asked, stop), "the guard asks again")
    wait_for(lambda: stop.request is not None, "the run is asked to stop")
    watching.halt()
    return str(stop.request)


@case(PART, "`stop_when` with several series, the second at 100 times its bound", "refused, or the largest counts")
def several() -> Seen:
    """Ask in preflight and in a run."""
    with prometheus_server() as server:
        server.answers["errors"] = vector((0.0, {"code": "500"}), (500.0, {"code": "502"}))
        text = guarded(server)
    return Seen(text, text == 'errors is 500 ({code="502"}), above 5')


@case(PART, "`stop_when` whose expression is a scalar", "taken")
def of_a_scalar() -> Seen:
    """Let it rise."""
    with prometheus_server() as server:
        server.answers["errors"] = scalar(9)
        text = guarded(server)
    return Seen(text, text == "errors is 9, above 5")


@case(PART, 'in mid-run one 200 with `{"message": "rate limit"}`, then the condition is met; and it stays so', "blind guard stops the run")
def blinded() -> Seen:
    """Let a guard be blind for a moment, then for longer than its window."""
    with prometheus_server() as server:
        server.answers["errors"] = scalar(0)

        def met() -> None:
            server.answers["errors"], server.foreign = scalar(9), None

        once = guarded(server, lambda: server.say(FOREIGN), met)
        server.answers["errors"] = scalar(0)
        lasting = guarded(server, lambda: server.say(FOREIGN), window_s=2)
    right = once == "errors is 9, above 5" and "has had no value for" in lasting and "rate limit" in lasting
    return Seen(f"{once}; {lasting}", right)


@case(PART, "a guard whose thread ends by an exception", "stops the run, named")
def dead_guard() -> Seen:
    """Let a condition raise what nobody expects."""

    def guard() -> tuple[str, str] | None:
        raise TypeError("list indices must be integers")

    stop = Asked()
    with patch.object(threading, "excepthook", lambda _said: None):
        watching = Conditions(stop, [guard])
        watching.start()
        watching.join()
    return Seen(str(stop.request), "ended by TypeError" in str(stop.request))


@case(PART, "`stop_when` without a value in preflight", "refused, with a way out")
def blind_from_the_start() -> Seen:
    """Ask for a series that is not there."""
    with prometheus_server() as server:
        text = said(lambda: stop_when.refuse_met(region_of(server), (StopWhen(promql="errors", above=5),)))
    return Seen(text, "it has no value now" in text and NoData.__name__ not in text)
