"""A target file with mistakes: every one is listed with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from history.errors import ConfigError
from target.target import load_target
from testing.platform.fake_cluster import ROOT
from testing.runs.runner_parts import target_file


@pytest.mark.parametrize("name", ["local", "staging.example"])
def test_the_shipped_files_are_right(name: str) -> None:
    assert load_target(ROOT / f"targets/{name}.yaml").roles["inference"].engine


def test_every_mistake_is_listed_with_its_key(tmp_path: Path) -> None:
    roles = {"inference": {"namespace": "x", "selector": "app"}}
    path = target_file(tmp_path, name="Up", namespaces=[], roles=roles, colour="red", limits={"pods": "many"})
    with pytest.raises(ConfigError) as wrong:
        load_target(path)
    for key in ("name", "namespaces", "roles.inference.selector", "colour", "limits.pods"):
        assert f"{key}:" in str(wrong.value)


def test_names_that_lead_nowhere_are_listed(tmp_path: Path) -> None:
    path = target_file(tmp_path, prometheus="prom", roles={"gateway": {"namespace": "x", "selector": "a=b"}}, endpoints={"web": "http://w"})
    with pytest.raises(ConfigError) as wrong:
        load_target(path)
    assert "workloads.realtime-inference.role: 'inference' is not under roles" in str(wrong.value)
    assert "workloads.realtime-inference.load.endpoint: 'inference' is not under endpoints" in str(wrong.value)
    assert "prometheus: 'prom' is not under endpoints" in str(wrong.value)


def test_the_suite_s_own_namespace_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="suite_namespace: 'ml-serving' must not be under namespaces"):
        load_target(target_file(tmp_path, suite_namespace="ml-serving"))


LINES = {  # what is replaced, by what, a part of the line of the mistake, what is said of it
    "unknown key": ("limits: {pods: 3,", "limits: {pod: 3,", "limits.pod: unknown key; known here: nodes, pods, share_of_role"),
    "unknown key of a role": (
        "    service: inference\n",
        "    servise: inference\n",
        "roles.inference.servise: unknown key; known here: container,",
    ),
    "unknown key of the load": ("rate_rps: ", "rate: ", "workloads.realtime-inference.load.rate: unknown key; known here: api_key_env,"),
    "unknown budget": ("budgets: {", "budgets: {rpo: 5s, ", "no measurement exists for this budget; measured are availability,"),
    "a required key": ("\nserver: ", "\nserver_url: ", "server: missing; it is required"),
    "no duration": ("timeout: 5s", "timeout: soon", "'soon' is not a duration; write 30s, 5m, 1h30m or 250ms (got 'soon')"),
    "a request that may take no time": ("latency: 1s", "latency: 0s", "slo.latency: Input should be greater than 0 (got 0.0)"),
    "no answer is good enough": ("ratio: 99%", "ratio: 0%", "slo.ratio: Input should be greater than 0 (got 0.0)"),
    "a client without patience": ("timeout: 5s", "timeout: 0s", "load.timeout: Input should be greater than 0 (got 0.0)"),
    "requests without end": ("rate_rps: 20", "rate_rps: .inf", "load.rate_rps: Input should be a finite number (got inf)"),
    "a plan's spelling": ("budgets: {rto: 60s", "budgets: {rto_s: 60", "budgets.rto_s: no measurement exists for this budget"),
    "a plan's spelling of the load": ("timeout: 5s", "timeout_s: 5", "load.timeout_s: unknown key; known here: api_key_env, arrivals,"),
    "who set a budget": ("budgets: {rto: 60s", "budgets: {source: {}, rto: 60s", "budgets.source: no measurement exists"),
    "a name that leads nowhere": ("    role: inference\n", "    role: inferenec\n", "'inferenec' is not under roles"),
    "a namespace of the suite": ("\nsuite_namespace: aftershock", "\nsuite_namespace: ml-serving", "must not be under namespaces"),
}


@pytest.mark.parametrize("case", LINES)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, case: str) -> None:
    old, new, said = LINES[case]
    text = (ROOT / "targets/local.yaml").read_text().replace(old, new, 1)
    path = tmp_path / "target.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as wrong:
        load_target(path)
    line = 1 if "missing" in said else next(number for number, line in enumerate(text.splitlines(), 1) if new.strip() in line)
    assert [one for one in str(wrong.value).splitlines() if one.startswith(f"{path}:{line}: ") and said in one]


def test_roles_become_configuration() -> None:
    values = load_target(ROOT / "targets/local.yaml").configuration()
    assert values["inference_selector"] == "app=inference"
    assert values["inference_namespace"] == "ml-serving"
    assert values["prometheus_endpoint"] == "http://127.0.0.1:19090"


def test_faults_take_the_suites_image_where_the_file_names_no_other(tmp_path: Path) -> None:
    both = load_target(target_file(tmp_path, suite_image="r/suite:1", fault_image="r/fault:1"))
    assert (both.suite_image, both.fault_image) == ("r/suite:1", "r/fault:1")
    file = target_file(tmp_path, suite_image="r/suite:1")
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if not line.startswith("fault_image:")))
    assert load_target(file).fault_image == "r/suite:1"
