"""A target file with mistakes: every one is listed with its key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from history.answers import AnswerRule
from history.errors import ConfigError
from target.requests import RequestsClass
from target.role import Metrics
from target.target import load_target
from testing.platform.fake_cluster import ROOT
from testing.runs.runner_parts import target_file

LOCAL = ROOT / "targets" / "local.yaml"


def refusal(folder: Path, text: str) -> list[str]:
    """Return what is said of a target file, a line each, without the path."""
    path = folder / "target.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as wrong:
        load_target(path, {})
    lines = str(wrong.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


@pytest.mark.parametrize("name", ["local", "staging.example"])
def test_the_shipped_files_are_right(name: str) -> None:
    assert load_target(ROOT / f"targets/{name}.yaml").roles["inference"].engine


def test_every_mistake_is_listed_with_its_key(tmp_path: Path) -> None:
    roles = {"inference": {"namespace": "x", "selector": "app"}}
    path = target_file(tmp_path, name="Up", namespaces=[], roles=roles, colour="red", limits={"pods": "many"})
    with pytest.raises(ConfigError) as wrong:
        load_target(path)
    for key in ("name", "regions.default.namespaces", "roles.inference.selector", "colour", "limits.pods"):
        assert f": {key}: " in str(wrong.value)


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        ("pods", True, "a number is needed; YAML reads yes, no, on and off as truth values"),
        ("pods", -1, "Input should be greater than or equal to 0"),
        ("pods", float("inf"), "Input should be a finite number"),
        ("share_of_role", "99,9%", "'99,9%' is not a share; write 99% or 0.99"),
        ("share_of_role", True, "a number is needed"),
        ("share_of_role", "many", "'many' is not a share; write 99% or 0.99"),
    ],
)
def test_a_number_that_is_none_is_refused_with_its_key(tmp_path: Path, limit: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError, match=f"limits.{limit}: {said}"):
        load_target(target_file(tmp_path, limits={limit: value}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate_rps": True}, "load.rate_rps: a number is needed"),
        ({"mix": [{"weight": float("inf"), "max_tokens": [4, 8]}]}, "load.mix.0.weight: Input should be a finite number"),
        ({"mix": [{"weight": 1, "max_tokens": [8, 4]}]}, "load.mix.0.max_tokens: the least, then the most, and neither below 0"),
        ({"mix": [{"weight": 1, "max_tokens": 8}]}, r"load.mix.0.max_tokens: a list is needed, such as \[a, b\]"),
        ({"retry": {"policy": "naive", "max_attempts": 0}}, "load.retry.max_attempts: Input should be greater than or equal to 1"),
        ({"retry": {"policy": "naive", "backoff_ms": -5}}, "load.retry.backoff_ms: Input should be greater than or equal to 0"),
    ],
)
def test_a_load_that_could_not_be_offered_is_refused_with_its_key(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    raw = yaml.safe_load(LOCAL.read_text())
    raw["workloads"]["realtime-inference"]["load"] |= changes
    assert any(re.search(said, line) for line in refusal(tmp_path, yaml.safe_dump(raw)))


def test_a_counter_is_no_queue() -> None:
    with pytest.raises(ValidationError, match="request_total is a counter by its name, which only grows; name the gauge"):
        Metrics(queue="vllm:request_total")


def test_a_text_that_yaml_reads_as_something_else_is_to_be_put_in_quotes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"name: Input should be a valid string, YAML reads this as a int; put it in quotes \(got 5\)"):
        load_target(target_file(tmp_path, name=5))


def test_names_that_lead_nowhere_are_listed(tmp_path: Path) -> None:
    path = target_file(tmp_path, roles={"gateway": {"namespace": "x", "selector": "a=b"}}, endpoints={"web": "http://w"})
    with pytest.raises(ConfigError) as wrong:
        load_target(path)
    assert "workloads.realtime-inference.role: 'inference' is not under roles" in str(wrong.value)
    assert "workloads.realtime-inference.load.endpoint: 'inference' is not under endpoints" in str(wrong.value)
    assert "workloads.batch-training.job.storage: 'storage' is not under roles" in str(wrong.value)


def test_a_stop_condition_by_promql_needs_a_prometheus(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stop_when: promql needs prometheus, of a region"):
        load_target(target_file(tmp_path, prometheus=None, stop_when=[{"promql": "up", "above": 1}]))


LINES = {  # what is replaced, by what, what is said of it
    "unknown key": ("limits: {pods: 3,", "limits: {pod: 3,", "limits.pod: unknown key; known here: nodes, pods, share_of_role"),
    "unknown key of a role": (
        "    service: inference\n",
        "    servise: inference\n",
        "roles.inference.servise: unknown key; known here: adapter, container,",
    ),
    "a key of schema 1": (
        "    service: inference\n",
        "    deployment: inference\n",
        "roles.inference.deployment: unknown key; known here: adapter, container,",
    ),
    "unknown key of the load": ("rate_rps: ", "rate: ", "workloads.realtime-inference.load.rate: unknown key; known here: api_key_env,"),
    "unknown budget": ("budgets: {", "budgets: {rpo: 5s, ", "no measurement exists for this budget; measured are availability,"),
    "a required key": ("    server: ", "    server_url: ", "regions.default.server: missing; it is required"),
    "an endpoint that nobody names": ("      endpoint: inference\n", "", "load.endpoint: missing; it is required"),
    "a load without its SLO": ("    slo: {", "    slos: {", "realtime-inference.slos: unknown key; known here: answers,"),
    "no duration": ("timeout: 5s", "timeout: soon", "'soon' is not a duration; write 30s, 5m, 1h30m or 250ms (got 'soon')"),
    "no duration in the SLO": ("latency: 1s", "latency: soon", "slo.latency: 'soon' is not a duration; write 30s, 5m, 1h30m or 250ms"),
    "a request that may take no time": ("latency: 1s", "latency: 0s", "slo.latency: Input should be greater than 0 (got '0s')"),
    "a request that may take less than no time": ("latency: 1s", "latency: -1", "slo.latency: Input should be greater than 0 (got -1)"),
    "a request that may take for ever": ("latency: 1s", "latency: .inf", "slo.latency: Input should be a finite number (got inf)"),
    "no answer is good enough": ("ratio: 99%", "ratio: 0%", "slo.ratio: Input should be greater than 0 (got "),
    "a client without patience": ("timeout: 5s", "timeout: 0s", "load.timeout: Input should be greater than 0 (got 0.0)"),
    "requests without end": ("rate_rps: 20", "rate_rps: .inf", "load.rate_rps: Input should be a finite number (got inf)"),
    "a plan's spelling": ("budgets: {rto: 60s", "budgets: {rto_s: 60", "budgets.rto_s: no measurement exists for this budget"),
    "a plan's spelling of the load": ("timeout: 5s", "timeout_s: 5", "load.timeout_s: unknown key; known here: api_key_env, arrivals,"),
    "a budget of another kind": ("budgets: {rto: 60s", "budgets: {rpo_steps: 3, rto: 60s", "rpo_steps means nothing for requests"),
    "a budget of requests for training": ("{rpo_steps: 30", "{p95_ratio: 2, rpo_steps: 30", "p95_ratio means nothing for a training job"),
    "a plan's spelling of the SLO": ("ttft: 700ms", "ttft_ms: 700", "slo.ttft_ms: unknown key; known here: latency, max_gap, ratio, ttft"),
    "who set a budget": ("budgets: {rto: 60s", "budgets: {source: {}, rto: 60s", "budgets.source: no measurement exists"),
    "a name that leads nowhere": ("    role: inference\n", "    role: inferenec\n", "'inferenec' is not under roles"),
    "a namespace of the suite": ("  namespace: aftershock\n", "  namespace: ml-serving\n", "must not be under namespaces"),
    "a part of another kind": (
        "    kind: requests\n",
        "    kind: training\n",
        "slo: it means nothing for kind training",
    ),
    "two ways to count replicas": ("    service: inference\n", "    replicas: 3\n", "controller and replicas: one of them, not both"),
    "no schema that is known": ("schema: 2", "schema: 3", "schema: Input should be 2 (got 3)"),
}
ABOVE = {  # of some mistakes, what stands where they are told
    "a required key": "  default:\n",
    "an endpoint that nobody names": "    load:\n",
    "a part of another kind": "    slo: {",
    "two ways to count replicas": "  inference:\n    namespace",
}


@pytest.mark.parametrize("case", LINES)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, case: str) -> None:
    old, new, said = LINES[case]
    text = LOCAL.read_text().replace(old, new, 1)
    line = text[: text.index(ABOVE.get(case, new))].count("\n") + 1
    assert [one for one in refusal(tmp_path, text) if one.startswith(f"{line}: ") and said in one]


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    text = LOCAL.read_text()
    twice = text.replace("\nroles:", "\nlimits: {pods: 90}\nroles:", 1)
    line = twice[: twice.rindex("\nlimits:")].count("\n") + 2
    assert refusal(tmp_path, twice) == [f"{line}: not valid YAML: found duplicate key 'limits'"]


def test_a_plain_number_is_seconds_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "target.yaml"
    path.write_text(LOCAL.read_text().replace("{ratio: 99%, latency: 1s, ttft: 700ms,", "{ratio: 99%, latency: 2, ttft: 0.5,", 1))
    slo = load_target(path).workloads["realtime-inference"].slo
    assert (slo.latency_ms, slo.ttft_ms, slo.max_gap_ms) == (2000, 500, 700)


def test_roles_become_configuration() -> None:
    values = load_target(LOCAL).configuration()
    assert values["inference_selector"] == "app=inference"
    assert values["inference_namespace"] == "ml-serving"
    assert values["prometheus_endpoint"] == "http://127.0.0.1:19090"
    assert {values[f"inference_{key}"] for key in ("deployment", "port", "health", "engine")} == {
        "inference", "8000", "/health", "workloads.inference.engine",
    }  # fmt: skip


def test_faults_take_the_suites_image_where_the_file_names_no_other(tmp_path: Path) -> None:
    both = load_target(target_file(tmp_path, suite={"image": "r/suite:1", "fault_image": "r/fault:1"}))
    assert (both.suite.image, both.suite.fault_image) == ("r/suite:1", "r/fault:1")
    assert load_target(target_file(tmp_path, suite={"image": "r/suite:1"})).suite.fault_image == "r/suite:1"


def answered(folder: Path, prompts: list[str], answers: object = None) -> RequestsClass:
    """Return the class of requests of a target file with these prompts and this key ``answers``."""
    file = folder / "asked.jsonl"
    file.write_text("".join(f"{line}\n" for line in prompts))
    raw = yaml.safe_load(LOCAL.read_text())
    users = raw["workloads"]["realtime-inference"]
    users["load"]["prompts"] = str(file)
    users |= {} if answers is None else {"answers": answers}
    (folder / "target.yaml").write_text(yaml.safe_dump(raw))
    return load_target(folder / "target.yaml").workload("realtime-inference", RequestsClass)


ASKED, KNOWN = '{"prompt": "a"}', '{"prompt": "a", "completion": "b"}'


@pytest.mark.parametrize(
    ("prompts", "answers", "rule"),
    [
        ([ASKED], None, AnswerRule(mode="unknown")),
        ([ASKED, KNOWN], None, AnswerRule(mode="exact")),
        ([KNOWN], {"may_differ": "1%"}, AnswerRule(mode="exact", may_differ=0.01)),
        ([KNOWN], "unknown", AnswerRule(mode="unknown")),
        ([ASKED], "unknown", AnswerRule(mode="unknown")),
        ([KNOWN], "prefix", AnswerRule(mode="prefix")),
        ([KNOWN], {"mode": "prefix", "may_differ": 0.02}, AnswerRule(mode="prefix", may_differ=0.02)),
    ],
)
def test_how_answers_are_compared_follows_from_the_file_or_else_from_the_prompts(
    tmp_path: Path, prompts: list[str], answers: object, rule: AnswerRule
) -> None:
    assert answered(tmp_path, prompts, answers).answer_rule() == rule


@pytest.mark.parametrize("mode", ["exact", "prefix"])
def test_nothing_can_be_compared_with_no_completion(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ConfigError, match=f"answers: {mode}, but no prompt of .*asked.jsonl has a completion to compare with"):
        answered(tmp_path, [ASKED], mode).answer_rule()


def test_a_way_to_compare_that_is_not_there_is_refused_with_its_line(tmp_path: Path) -> None:
    text = LOCAL.read_text().replace("    role: inference\n    slo", "    role: inference\n    answers: sometimes\n    slo")
    (said,) = refusal(tmp_path, text)
    assert said.startswith(f"{text[: text.index('answers: sometimes')].count(chr(10)) + 1}: workloads.realtime-inference.answers")
