"""Target files of schema 1: the same targets as their twins of schema 2, and mistakes told as the file has them."""

from __future__ import annotations

import copy
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from history.plan import Plan
from kube.platform_timers import PlatformTimers
from runner.drivers.requests.driver import RequestsDriver
from runner.experiment.experiment import read_experiment
from runner.experiment.steady_state import for_target
from runner.preflight.planning import Resolved, make_plan
from runner.request import Request
from target.requests import RequestsClass
from target.target import Target, load_target
from testing.platform.fake_cluster import ROOT, FakeCluster
from tests.unit.target.test_target import refusal

SCHEMA1, SCHEMA2 = (ROOT / "testing" / "platform" / f"schema{number}" for number in (1, 2))
TWINS = ("local", "staging.example", "in-cluster")
"""The shipped files as they were when schema 2 came; those in targets/ go on."""
TIMERS = PlatformTimers(50.0, 20.0, start_s=2.0, load_s=12.0)


def plan_on(target: Target, name: str) -> Plan:
    """Return the plan of an experiment, without what differs between any two plans, with prompts that are there."""
    users = target.workload("realtime-inference", RequestsClass)
    load = users.load.model_copy(update={"prompts": str(ROOT / "workloads" / "inference" / "prompts.jsonl")})
    target = target.model_copy(update={"workloads": target.workloads | {"realtime-inference": users.model_copy(update={"load": load})}})
    file = ROOT / "experiments" / f"{name}.yaml"
    request = Request(
        run_id="twin", run_dir=file.parent, experiment=file, experiments_root=ROOT / "experiments", target=file, seed=7, profile="smoke"
    )
    experiment = for_target(read_experiment(file, ROOT / "experiments"), target)
    driver = RequestsDriver(FakeCluster().platform(target), experiment.settings.workload)
    resolved = Resolved({}, {"inference": 3}, {driver.name: TIMERS})
    return make_plan(request, experiment, target, resolved, [driver]).model_copy(update={"created_ns": 0})


@pytest.mark.parametrize("name", TWINS)
def test_a_file_and_its_twin_are_the_same_target_and_give_the_same_plan(name: str) -> None:
    one, two = load_target(SCHEMA1 / f"{name}.yaml"), load_target(SCHEMA2 / f"{name}.yaml")
    assert one == two
    assert plan_on(one, "serving/replica-killed") == plan_on(two, "serving/replica-killed")


words = st.text("abcdefghij", min_size=1, max_size=8)
urls = words.map(lambda word: f"https://{word}.example.org")
durations = st.integers(1, 900).map(lambda number: f"{number}s")


@st.composite
def roles(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a role in schema 1 and in schema 2."""
    alike = {"namespace": draw(words), "selector": f"app={draw(words)}"}
    alike |= {key: draw(words) for key in ("service", "container") if draw(st.booleans())}
    if draw(st.booleans()):
        alike["of_run"] = draw(st.booleans())
    if draw(st.booleans()):
        alike["object_store"] = {"buckets": f"/{draw(words)}/objects", "kept": f"/{draw(words)}/kept"}
    one, two = dict(alike), dict(alike)
    if draw(st.booleans()):
        one["deployment"] = name = draw(words)
        two["controller"] = {"kind": "Deployment", "name": name}
    if draw(st.booleans()):
        one["engine"] = match = draw(words)
        two["process"] = {"match": match}
    if draw(st.booleans()):
        one["port"] = port = draw(st.integers(1, 65535))
        two["health"] = {"port": port}
        if draw(st.booleans()):
            one["health"] = two["health"]["path"] = f"/{draw(words)}"
    return one, two


@st.composite
def twins(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a whole target file in schema 1 and in schema 2."""
    region: dict[str, Any] = {"context": draw(words), "server": draw(urls), "namespaces": ["models", draw(words)]}
    region |= {key: draw(words) for key in ("kubeconfig", "shared_machine", "zone_label", "gpu_resource") if draw(st.booleans())}
    if draw(st.booleans()):
        region["instruments"] = [{"namespace": draw(words), "selector": "app=eye"}]
    if draw(st.booleans()):
        region["gpus"] = {"fail": [draw(words)], "repair": [draw(words)]}
    known = draw(st.dictionaries(words, roles(), min_size=1, max_size=4))
    role = draw(st.sampled_from(sorted(known)))
    load = {
        "endpoint": "web", "model": draw(words), "rate_rps": draw(st.integers(1, 50)), "mix": [{"weight": 1, "max_tokens": [1, 9]}],
        "prompts": draw(words), "in_flight_cap": draw(st.integers(1, 500)), "timeout": draw(durations),
    }  # fmt: skip
    serving = {"role": role, "slo": {"ratio": "95%", "latency": draw(durations)}, "budgets": {"rto": draw(durations)}, "load": load}
    job = {"template": draw(words), "ledger": f"{draw(words)}:8100", "storage": role, "settings": {"TRAIN_SEED": draw(words)}}
    training = {"role": role, "budgets": {"rpo_steps": draw(st.integers(0, 99))}}
    alike: dict[str, Any] = {"name": draw(words)}
    if draw(st.booleans()):
        alike |= {"limits": {"pods": draw(st.integers(1, 9))}, "fidelity": {draw(words): draw(words)}}
    endpoints, prometheus = {"web": draw(urls)}, draw(st.none() | urls)
    one = {
        "schema": 1,
        **alike,
        **copy.deepcopy(region),
        "endpoints": dict(endpoints),
        "roles": {n: pair[0] for n, pair in known.items()},
    }
    one["workloads"] = {"serving": serving, "training": training | {"training": job}}
    two = {
        "schema": 2,
        **alike,
        "regions": {"default": region | {"endpoints": endpoints}},
        "roles": {n: pair[1] for n, pair in known.items()},
    }
    two["workloads"] = {"serving": serving | {"kind": "requests"}, "training": training | {"kind": "training", "job": job}}
    if prometheus:
        one["endpoints"]["prometheus"], one["prometheus"] = prometheus, "prometheus"
        region_two = two["regions"]["default"]
        region_two["prometheus"] = {"url": prometheus}
    if draw(st.booleans()):
        one |= {"suite_namespace": "theirs", "suite_image": "image:1"}
        two["suite"] = {"namespace": "theirs", "image": "image:1"}
    return one, two


@settings(deadline=None)  # a file takes as long as the machine is busy
@given(pair=twins(), shuffle=st.integers(0, 99))
def test_any_file_of_schema_1_and_its_twin_are_the_same_target(
    tmp_path_factory: pytest.TempPathFactory, pair: tuple[dict[str, Any], dict[str, Any]], shuffle: int
) -> None:
    folder, found = tmp_path_factory.mktemp("twins"), []
    for number, raw in enumerate(pair):
        keys = list(raw)
        Random(shuffle).shuffle(keys)  # noqa: S311 - repeatable on purpose
        file = folder / f"{number}.yaml"
        file.write_text(yaml.safe_dump({key: raw[key] for key in keys}, sort_keys=False))
        found.append(load_target(file))
    assert found[0] == found[1]


LINES = {  # what is replaced, by what, what is said of it; the line is that of the replacement
    "unknown key": ("fidelity:\n", "colour: red\nfidelity:\n", "colour: unknown key; known here: balancer, blackouts,"),
    "a key of schema 2": ("fidelity:\n", "regions: {}\nfidelity:\n", "regions: unknown key; known here: balancer, blackouts,"),
    "unknown key of a role": (
        "    service: inference\n",
        "    controller: {}\n",
        "roles.inference.controller: unknown key; known here: container, deployment, engine,",
    ),
    "unknown key of a class": (
        "    role: trainer\n",
        "    kind: training\n    role: trainer\n",
        "training.kind: unknown key",
    ),
    "unknown key of a job": ("training: {template", "training: {kind: x, template", "training.kind: unknown key; known here: ledger,"),
    "unknown key of the load": ("rate_rps: ", "rate: ", "workloads.realtime-inference.load.rate: unknown key; known here: api_key_env,"),
    "a role that is not there": ("storage: storage}", "storage: store}", "batch-training.training.storage: 'store' is not under roles"),
    "no endpoint": ("prometheus: prometheus\n", "prometheus: prom\n", "prometheus: 'prom' is not under endpoints"),
    "no namespace": ("namespaces: [ml-serving, ml-training]", "namespaces: []", "namespaces: Tuple should have at least 1 item"),
    "no server": ("server: https", "server: ftp", "server: String should match pattern"),
    "a port that is none": ("    port: 8000\n", "    port: many\n", "roles.inference.port: Input should be a valid integer"),
    "a list for a name": ("    deployment: gateway\n", "    deployment: [a]\n", "roles.gateway.deployment: Input should be a valid string"),
    "a namespace of the suite": ("suite_namespace: aftershock", "suite_namespace: ml-serving", "suite_namespace: 'ml-serving' must not be"),
    "a credential": ("inference: http://127", "inference: http://a:b@127", "endpoints.inference: a URL must not hold credentials"),
    "a driver of no kind": ("  driver: command\n", "  driver: telnet\n", "machines.driver: Input should be 'command'"),
}


@pytest.mark.parametrize("case", LINES)
def test_a_mistake_is_told_with_the_line_and_the_key_of_the_file(tmp_path: Path, case: str) -> None:
    old, new, said = LINES[case]
    text = (SCHEMA1 / "local.yaml").read_text().replace(old, new, 1)
    line = text[: text.index(new)].count("\n") + 1
    assert [one for one in refusal(tmp_path, text) if one.startswith(f"{line}: {said}") or (one.startswith(f"{line}: ") and said in one)]


def test_what_is_missing_is_told_with_the_key_of_schema_1(tmp_path: Path) -> None:
    text = (SCHEMA1 / "local.yaml").read_text()
    for line in ("context: aftershock-local\n", ", storage: storage"):
        text = text.replace(line, "", 1)
    said = refusal(tmp_path, text)
    assert "1: context: missing; it is required" in said
    text = text.replace("schema: 1\n", "schema: 1\ncontext: aftershock-local\n", 1)
    (only,) = refusal(tmp_path, text)
    assert only.endswith(": workloads.batch-training.training.storage: missing; it is required")


def test_a_balancer_that_older_files_name_is_read_and_left_out(tmp_path: Path) -> None:
    text = (SCHEMA1 / "local.yaml").read_text()
    file = tmp_path / "target.yaml"
    file.write_text(text + "balancer: {interval: 1s, fall: 3, timeout: 1s}\n")
    assert load_target(file) == load_target(SCHEMA1 / "local.yaml")
    (said,) = refusal(tmp_path, text + "balancer: {interval: 1s, fall: 0, timeout: 1s}\n")
    assert "balancer.fall: Input should be greater than 0" in said


def test_a_path_of_health_without_a_port_was_never_asked(tmp_path: Path) -> None:
    file = tmp_path / "target.yaml"
    file.write_text((SCHEMA1 / "local.yaml").read_text().replace("    port: 8000\n", "", 1))
    assert load_target(file).roles["inference"].health is None


def test_an_endpoint_of_prometheus_by_another_name_stays_an_endpoint(tmp_path: Path) -> None:
    text = (SCHEMA1 / "local.yaml").read_text()
    file = tmp_path / "target.yaml"
    file.write_text(text.replace("  prometheus: http", "  metrics: http", 1).replace("prometheus: prometheus", "prometheus: metrics", 1))
    values = load_target(file).configuration()
    assert values["metrics_endpoint"] == values["prometheus_endpoint"] == "http://127.0.0.1:19090"


def test_schema_true_is_not_schema_1(tmp_path: Path) -> None:
    text = (SCHEMA1 / "local.yaml").read_text().replace("schema: 1", "schema: true", 1)
    assert "2: schema: Input should be 2 (got True)" in refusal(tmp_path, text)
