"""What an experiment without a hypothesis believes: its class's steady state on this target, and what is left out of it by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from history.errors import ConfigError
from kube.platform_timers import PlatformTimers
from runner.drivers.requests.driver import RequestsDriver
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.needs import unmeasurable
from runner.experiment.steady_state import for_target, steady_state
from runner.preflight.checks import foretell
from runner.preflight.planning import Resolved, make_plan
from runner.request import Request
from target.target import Target
from target.workload import WorkloadClass
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target
from testing.runs.runner_parts import EXPERIMENT

SILENT = EXPERIMENT.split("steady-state-hypothesis:")[0] + "method:" + EXPERIMENT.split("method:")[1]
LOCAL: dict[str, Any] = yaml.safe_load((ROOT / "targets/local.yaml").read_text())
TIMERS = PlatformTimers(50.0, 20.0, start_s=2.0, load_s=12.0)
REQUESTS, TRAINING = "realtime-inference", "batch-training"


def probe(name: str, module: str, func: str, tolerance: object, **arguments: object) -> dict[str, Any]:
    provider = {"type": "python", "module": f"probes.{module}", "func": func, "arguments": arguments}
    return {"type": "probe", "name": name, "tolerance": tolerance, "provider": provider}


def between(low: float, high: float) -> dict[str, Any]:
    return {"type": "range", "range": [low, high]}


def changed(name: str = REQUESTS, *, drop: tuple[str, ...] = (), **keys: object) -> Target:
    """Return the embedded platform's target with ``keys`` of one class changed, or dropped."""
    workloads = dict(LOCAL["workloads"])
    workloads[name] = {key: value for key, value in (workloads[name] | keys).items() if key not in drop}
    return local_target(workloads=workloads)


def without_prometheus() -> Target:
    return local_target(prometheus=None)


def without_controller() -> Target:
    roles = dict(LOCAL["roles"])
    roles["inference"] = {key: value for key, value in roles["inference"].items() if key != "controller"}
    return local_target(roles=roles)


@pytest.fixture
def silent(experiment_file: Path) -> Experiment:
    experiment_file.write_text(SILENT)
    return read_experiment(experiment_file, experiment_file.parents[1])


def request(folder: Path) -> Request:
    return Request(run_id="r", run_dir=folder, experiment=folder, experiments_root=folder, target=folder, seed=7, profile="smoke")


def asked(target: Target, name: str = REQUESTS) -> dict[str, tuple[object, dict[str, Any]]]:
    probes = steady_state(target, target.workloads[name]).probes
    return {one["name"]: (one["tolerance"], one["provider"]["arguments"]) for one in probes}


def test_on_the_embedded_platform_it_is_what_each_experiment_said_before() -> None:
    requests = steady_state(local_target(), local_target().workloads[REQUESTS])
    assert (requests.title, requests.left_out) == ("users are served within the SLO, and every replica is ready", [])

    assert requests.probes == [
        probe("users-are-served", "users", "good_ratio", between(0.99, 1.0), window_s=10),
        probe("answers-are-fast", "users", "p95_latency_ms", between(0, 1000), window_s=10),
        probe("queue-is-short", "queue", "depth", between(0, 10), labels='namespace="ml-serving"'),
        probe("no-replica-is-missing", "replicas", "missing", 0, role="inference"),
    ]
    training = steady_state(local_target(), local_target().workloads[TRAINING])
    assert training.title == "training advances, every rank is there, and a fresh checkpoint could be gone back to"
    assert training.probes == [
        probe("training-advances", "training", "steps_per_s", between(1, 1000), window_s=5),
        probe("no-rank-is-missing", "training", "missing_ranks", 0, role="trainer"),
        probe("checkpoint-is-fresh", "training", "checkpoint_age_s", between(0, 30)),
    ]


def test_where_the_class_is_silent_it_follows_from_the_slo() -> None:
    target = changed(slo={"ratio": "95%", "latency": "20s"}, drop=("steady_state",))
    found = asked(target)
    assert found["users-are-served"] == (between(0.95, 1.0), {"window_s": 10})
    assert found["answers-are-fast"] == (between(0, 20_000), {"window_s": 10})
    assert "queue-is-short" not in found
    assert asked(changed(TRAINING, drop=("steady_state",)), TRAINING) == asked(local_target(), TRAINING)


def test_the_class_may_say_more() -> None:
    found = asked(changed(steady_state={"window": "30s", "p95_latency": "2s", "queue_max": 3, "queue_metric": "sglang:num_queue_reqs"}))
    assert found["users-are-served"][1] == {"window_s": 30}
    assert found["answers-are-fast"] == (between(0, 2000), {"window_s": 30})
    assert found["queue-is-short"] == (between(0, 3), {"metric": "sglang:num_queue_reqs", "labels": 'namespace="ml-serving"'})
    steps = asked(changed(TRAINING, steady_state={"steps_per_s": 0.1, "checkpoint_age": "10m", "window": "1m"}), TRAINING)
    assert steps["training-advances"] == (between(0.1, 1000), {"window_s": 60})
    assert steps["checkpoint-is-fresh"] == (between(0, 600), {})


@pytest.mark.parametrize(
    ("made", "left_out"),
    [
        (without_prometheus, "queue-is-short: target local names no prometheus"),
        (lambda: changed(steady_state={}), "queue-is-short: target local sets no queue_max in the steady_state of the class"),
    ],
)
def test_what_the_target_has_not_is_left_out_by_name_in_plan_and_dry_run(
    silent: Experiment, made: Callable[[], Target], left_out: str, tmp_path: Path
) -> None:
    found = for_target(silent, made())
    assert found.left_out == (left_out,)
    assert left_out.split(":", maxsplit=1)[0] not in [one.name for one in found.hypothesis.probes]
    driver = RequestsDriver(FakeCluster().platform(made()), REQUESTS)
    plan = make_plan(request(tmp_path), found, made(), Resolved({}, {"inference": 3}, {REQUESTS: TIMERS}), [driver])
    assert plan.hypothesis_left_out == (left_out,)
    lines = foretell(plan)
    assert lines[0].startswith(f"hypothesis: {found.hypothesis.title} (users-are-served 0.99 to 1, answers-are-fast 0 to ")
    assert lines[1] == f"left out of the hypothesis: {left_out}"


def test_replicas_are_asked_for_although_the_target_names_no_controller_since_whoever_owns_the_pods_is_found() -> None:
    target = without_controller()
    found = steady_state(target, target.workloads[REQUESTS])
    assert found.title == "users are served within the SLO, and every replica is ready"
    assert "no-replica-is-missing" in [probe["name"] for probe in found.probes]


def test_what_is_declared_is_asked_whether_or_not_it_answers(silent: Experiment) -> None:
    assert "queue-is-short" in [one.name for one in for_target(silent, local_target()).hypothesis.probes]


def test_it_stands_in_everything_that_a_run_reads(silent: Experiment) -> None:
    found = for_target(silent, local_target())
    probes = found.raw["steady-state-hypothesis"]["probes"]
    assert [one["name"] for one in probes] == [one.name for one in found.hypothesis.probes]
    assert [activity.name for _, activity in found.activities()][: len(probes)] == [one["name"] for one in probes]
    assert found.info().hypothesis == found.raw["steady-state-hypothesis"]["title"]
    assert "steady-state-hypothesis" not in silent.raw


def test_an_experiment_with_a_hypothesis_of_its_own_keeps_it(experiment: Experiment) -> None:
    assert for_target(experiment, local_target()) is experiment
    assert experiment.left_out == ()


def own_queue(file: Path, *, alone: bool = False, evidence: bool = False) -> Experiment:
    """Return the experiment with a probe of the queue in the hypothesis of its own file, alone there, or in its evidence."""
    raw = yaml.safe_load(EXPERIMENT)
    asks = probe("queue", "queue", "depth", between(0, 10))
    place = raw["extensions"][0].setdefault("evidence", []) if evidence else raw["steady-state-hypothesis"]["probes"]
    if alone:
        place.clear()
    place.append(asks)
    file.write_text(yaml.safe_dump(raw))
    return read_experiment(file, file.parents[1])


def test_without_prometheus_the_queue_is_left_out_of_a_file_s_own_hypothesis_too(experiment_file: Path) -> None:
    written = own_queue(experiment_file)
    found = for_target(written, without_prometheus())
    assert found.left_out == ("queue: target local names no prometheus",)
    assert [one.name for one in found.hypothesis.probes] == [one.name for one in written.hypothesis.probes if one.name != "queue"]
    assert found.hypothesis.title == written.hypothesis.title
    assert for_target(written, local_target()) is written


@pytest.mark.parametrize("about", [{"alone": True}, {"evidence": True}], ids=["hypothesis", "evidence"])
def test_an_experiment_that_is_about_the_queue_is_none_where_there_is_no_prometheus(experiment_file: Path, about: dict[str, bool]) -> None:
    written = own_queue(experiment_file, **about)
    assert unmeasurable(written, local_target()) == ""
    said = "it asks Prometheus (queue), and target local names none; to test this here, add prometheus to the region"
    assert unmeasurable(written, without_prometheus()) == said
    with pytest.raises(ConfigError, match=r"pod-killed\.yaml:1: it asks Prometheus"):
        for_target(written, without_prometheus())


def test_a_stop_condition_of_its_own_needs_prometheus(experiment_file: Path) -> None:
    raw = yaml.safe_load(EXPERIMENT)
    raw["extensions"][0]["stop_when"] = [{"promql": "errors", "above": 1}]
    experiment_file.write_text(yaml.safe_dump(raw))
    written = read_experiment(experiment_file, experiment_file.parents[1])
    assert unmeasurable(written, without_prometheus()).startswith("it asks Prometheus (stop_when errors)")


def test_the_digest_covers_what_the_class_says(silent: Experiment) -> None:
    same, again, other = (for_target(silent, target) for target in (local_target(), local_target(), changed(steady_state={"queue_max": 9})))
    assert same.info().digest == again.info().digest
    assert len({silent.digest, same.info().digest, other.info().digest}) == 3
    assert len(bytes.fromhex(same.info().digest)) == 32


def test_without_its_target_it_has_none(silent: Experiment) -> None:
    with pytest.raises(ConfigError, match=r"pod-killed\.yaml:1: steady-state-hypothesis: missing"):
        silent.info()


def test_a_class_that_says_nothing_is_refused_with_file_line_and_next_step(silent: Experiment) -> None:
    nothing = WorkloadClass.model_construct(kind="requests", role="inference")
    target = local_target().model_copy(update={"workloads": {REQUESTS: nothing}})
    line = SILENT.splitlines().index(f"    workload: {REQUESTS}") + 1
    with pytest.raises(ConfigError, match=rf"pod-killed\.yaml:{line}: class 'realtime-inference' of .* kind requests, .*; write one"):
        for_target(silent, target)


def test_a_name_that_the_hypothesis_takes_is_refused_where_it_stands(experiment_file: Path) -> None:
    experiment_file.write_text(SILENT.replace("name: gone", "name: users-are-served"))
    experiment = read_experiment(experiment_file, experiment_file.parents[1])
    line = SILENT.splitlines().index("        name: gone") + 1
    with pytest.raises(ConfigError, match=rf"pod-killed\.yaml:{line}: name 'users-are-served' is used twice"):
        for_target(experiment, local_target())


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        (TRAINING, {"p95_latency": "1s"}, r"steady_state\.p95_latency\s+it means nothing for kind training"),
        (REQUESTS, {"steps_per_s": 2}, r"steady_state\.steps_per_s\s+it means nothing for kind requests"),
        (REQUESTS, {"window": "0s"}, "greater than 0"),
        (REQUESTS, {"queue_max": -1}, "greater than or equal to 0"),
        (REQUESTS, {"ready": "most"}, "Input should be 'all'"),
        (REQUESTS, {"p99_latency": "1s"}, "Extra inputs are not permitted"),
    ],
)
def test_a_steady_state_that_means_nothing_is_refused(name: str, written: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        changed(name, steady_state=written)


def test_a_role_without_a_health_endpoint_is_ready_by_its_condition_and_the_title_says_so() -> None:
    target = local_target()
    unasked = target.roles["inference"].model_copy(update={"health": None})
    target = target.model_copy(update={"roles": target.roles | {"inference": unasked}})
    found = steady_state(target, target.workloads["realtime-inference"])
    assert found.title == "users are served within the SLO, and every replica is Ready by its condition"
