"""Where a run asks for the queue is found before it begins: what is not there, or is another platform's, refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from history.errors import TargetRefused
from kube.platform_timers import PlatformTimers
from runner.drivers.requests.driver import RequestsDriver
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.steady_state import for_target
from runner.preflight.planning import Resolved, make_plan
from runner.preflight.queue_gauge import QueueSource, queue_source
from runner.request import Request
from target.target import Target
from testing.platform.fake_cluster import FakeCluster, local_target
from testing.platform.prometheus_server import PrometheusServer, prometheus_server, waiting
from testing.runs.runner_parts import EXPERIMENT

SILENT = EXPERIMENT.split("steady-state-hypothesis:")[0] + "method:" + EXPERIMENT.split("method:")[1]
USERS = "realtime-inference"
TIMERS = PlatformTimers(50.0, 20.0, start_s=2.0, load_s=12.0)


@pytest.fixture
def server() -> Iterator[PrometheusServer]:
    with prometheus_server() as made:
        yield made


@pytest.fixture
def silent(experiment_file: Path) -> Experiment:
    experiment_file.write_text(SILENT)
    return read_experiment(experiment_file, experiment_file.parents[1])


def target_with(server: PrometheusServer, *, asks: bool = True, **declared: Any) -> Target:
    """Return the local target with this Prometheus; ``asks``: its class has a queue_max."""
    target = local_target(prometheus={"url": server.url} | declared)
    if asks:
        return target
    users = target.workloads[USERS]
    steady = users.steady_state.model_copy(update={"queue_max": None})
    return target.model_copy(update={"workloads": target.workloads | {USERS: users.model_copy(update={"steady_state": steady})}})


def source(experiment: Experiment, target: Target) -> QueueSource:
    return queue_source(for_target(experiment, target), FakeCluster().platform(target))


@pytest.mark.parametrize(("every_s", "held_s"), [(1.0, 2.0), (30.0, 45.0)])
def test_baseline_and_hold_last_as_long_as_a_scrape_takes_and_plan_and_dry_run_say_so(
    silent: Experiment, server: PrometheusServer, tmp_path: Path, every_s: float, held_s: float
) -> None:
    server.series = [waiting(2, pod, every_s=every_s) for pod in ("inference-a", "inference-b", "inference-c")]
    target = target_with(server)
    found, experiment = source(silent, target), for_target(silent, target)
    assert found.asked
    asked = Request(run_id="r", run_dir=tmp_path, experiment=tmp_path, experiments_root=tmp_path, target=tmp_path, seed=7, profile="brief")
    driver = RequestsDriver(FakeCluster().platform(target), USERS)
    timers = make_plan(asked, experiment, target, Resolved({}, {"inference": 3}, {USERS: TIMERS}, queue=found), [driver]).timers
    assert (timers.queue_every_s, timers.queue_fresh_s) == (pytest.approx(every_s), pytest.approx(max(5.0, 1.5 * every_s)))
    assert timers.hold_s == pytest.approx(max(held_s, driver.needs().window_s))
    assert timers.baseline_s >= timers.hold_s
    coarse = every_s > 5
    said = [
        text for text in found.remarks if "is scraped every 30 s, so a backlog's end is known to 45 s; baseline and hold last so" in text
    ]
    assert bool(said) is coarse
    assert bool(found.remarks) is coarse


def test_a_queue_that_the_hypothesis_asks_for_and_nobody_has_refuses_the_run(silent: Experiment, server: PrometheusServer) -> None:
    with pytest.raises(
        TargetRefused, match=r"queue-is-short: Prometheus has no gauge .*; nothing was injected; .*leave the queue out: queue"
    ):
        source(silent, target_with(server))


def test_where_nobody_asks_for_it_its_absence_is_said_and_nothing_more(silent: Experiment, server: PrometheusServer) -> None:
    found = source(silent, target_with(server, asks=False))
    assert (found.gauge, found.asked) == (None, False)
    [said] = found.remarks
    assert said.endswith("it is not recorded, and nothing in this run needs it")
    server.series = [waiting(2, every_s=30)]
    found = source(silent, target_with(server, asks=False))
    assert found.gauge
    assert (found.asked, found.remarks) == (False, ())


def test_a_prometheus_of_another_cluster_is_said_by_its_labels(silent: Experiment, server: PrometheusServer) -> None:
    server.series = [waiting(2, "inference-x", cluster="us", region="us-east-1")]
    said = (
        r'is of no pod of role inference \(inference-a, .*\), but of pods inference-x; cluster="us"; .*region="us-east-1": that is another'
    )
    with pytest.raises(TargetRefused, match=said):
        source(silent, target_with(server))
    found = source(silent, target_with(server, asks=False))
    assert found.gauge is None
    assert "that is another platform or cluster" in found.remarks[0]


def test_pods_that_count_besides_are_named(silent: Experiment, server: PrometheusServer) -> None:
    server.series = [waiting(2, "inference-a"), waiting(2, "router-1", server="http://inference-a")]
    [said] = source(silent, target_with(server)).remarks
    assert "counts pods that are not of role inference, too (router-1); roles.inference.metrics.labels tells them apart" in said


def test_a_probe_with_labels_of_its_own_may_ask_for_another_queue(experiment_file: Path, server: PrometheusServer) -> None:
    probe = "    - {type: probe, name: queue, tolerance: 0, provider: {type: python, module: probes.queue, func: depth, arguments: %s}}\n"
    written = EXPERIMENT.replace("  probes:\n", "  probes:\n" + probe % "{labels: 'namespace=\"edge\"'}", 1)
    experiment_file.write_text(written)
    server.series = [waiting(0, "router-1", namespace="edge")]
    found = source(read_experiment(experiment_file, experiment_file.parents[1]), target_with(server))
    assert found.gauge
    assert (found.gauge.selector, found.remarks) == ('vllm:num_requests_waiting{namespace="edge"}', ())


def test_a_target_without_prometheus_and_a_run_without_requests_ask_nobody(silent: Experiment, server: PrometheusServer) -> None:
    assert source(silent, local_target(prometheus=None)) == QueueSource()
    assert server.queries == []


def test_a_prometheus_that_is_away_is_named_for_who_needs_it(silent: Experiment, server: PrometheusServer) -> None:
    server.say({"message": "rate limit"})
    with pytest.raises(TargetRefused, match=r"queue-is-short: Prometheus at .* answers HTTP 200: .*rate limit"):
        source(silent, target_with(server))
