"""Regions, what the suite has not built yet, and how a Prometheus lets us in: refused with file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from history.errors import ConfigError, TargetRefused
from safety import active_run
from target.environment import environment_of, target_of
from target.requests import RequestsClass
from target.target import Target, load_target
from testing.platform.fake_cluster import FakeCluster, local_target
from testing.platform.fake_run import live_run
from testing.platform.targets import region_of
from tests.unit.target.test_target import LOCAL, refusal

US = {
    "context": "us",
    "server": "https://us.example.org",
    "namespaces": ["ml-serving"],
    "endpoints": {"inference": "https://us.example.org"},
}


def with_regions(**us: Any) -> dict[str, Any]:
    """Return the local target with a second region."""
    raw: dict[str, Any] = yaml.safe_load(LOCAL.read_text())
    return raw | {"regions": {"eu": region_of(raw), "us": US | us}}


def test_two_regions_are_read_and_no_run_begins_in_them() -> None:
    target = Target.model_validate(with_regions())
    assert list(target.regions) == ["eu", "us"]
    with pytest.raises(ConfigError, match="target local has regions eu, us; the suite runs in one region as yet: leave the others out"):
        target.only_region()


WRONG = {  # what is changed, what is said of it
    "two regions with one context": (
        {"context": "aftershock-local", "kubeconfig": "/var/lib/aftershock/local/kubeconfig"},
        {},
        "regions.us.context: 'aftershock-local' is the context of region eu, too; a region is a cluster of its own",
    ),
    "two regions with one server": (
        {"server": "https://10.89.0.1:6443/"},
        {},
        "regions.us.server: 'https://10.89.0.1:6443/' is the server of",
    ),
    "a role in a region that is not there": ({}, {"regions": ["eu", "asia"]}, "roles.inference.regions.1: 'asia' is not under regions"),
    "an endpoint that a region of the role lacks": (
        {"endpoints": {}},
        {},
        "workloads.realtime-inference.load.endpoint: 'inference' is not under endpoints of us, where role inference is",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_refused_with_file_line_and_key(tmp_path: Path, case: str) -> None:
    us, role, said = WRONG[case]
    raw = with_regions(**us)
    raw["roles"]["inference"] |= role
    text = yaml.safe_dump(raw, sort_keys=False)
    keys = said.partition(":")[0].split(".")
    at = 0
    for key in keys:  # down to where it stands, as a reader would look
        at = text.index("- asia" if key == "1" else f"{key}:", at)
    line = text[:at].count("\n") + 1
    assert [one for one in refusal(tmp_path, text) if one.startswith(f"{line}: {said}")]


def test_an_endpoint_is_needed_only_where_the_role_is() -> None:
    raw = with_regions(endpoints={})
    raw["roles"]["inference"]["regions"] = ["eu"]
    assert Target.model_validate(raw).regions_of("inference") == ("eu",)


NOT_BUILT: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "a kind of workload": (("workloads", "realtime-inference", "kind"), "features", "no driver for features is built yet"),
    "answers by a score": (("workloads", "realtime-inference", "answers"), {"mode": "scored"}, "answers are not scored as yet"),
    "answers by a score, in short": (("workloads", "realtime-inference", "answers"), "scored", "answers are not scored as yet"),
    "a share of answers that nobody knows": (
        ("workloads", "realtime-inference", "answers"),
        {"mode": "unknown", "may_differ": "1%"},
        "it means nothing where the right answers are unknown",
    ),
    "a tolerance that is not asked for": (("workloads", "batch-training", "state"), {"losses": 0.001}, "it means nothing for mode exact"),
    "a tolerance without a share": (
        ("workloads", "batch-training", "state"),
        {"mode": "tolerance"},
        "the share by which a step's loss may differ",
    ),
    "another job": (
        ("workloads", "batch-training", "job", "kind"),
        "PyTorchJob",
        "no job is made of a PyTorchJob yet; built are CronJob, JobSet",
    ),
    "a controller": (
        ("roles", "gateway", "controller"),
        {"kind": "RayCluster", "name": "x"},
        "RayCluster is none of Deployment, StatefulSet",
    ),
    "an adapter": (("roles", "gateway", "adapter"), "envoy", "no engine 'envoy' is known; known are vllm, sglang, tgi"),
    "the newest of all processes": (("roles", "inference", "process"), {"pick": "newest"}, "it says of no process which it is"),
    "health as the kubelet asks": (("roles", "inference", "health"), "kubelet", "asking as the kubelet does is not built"),
    "destruction": (("roles", "storage", "scratch"), True, "no experiment destroys a role"),
    "credentials": (("roles", "storage", "credentials"), {"env": "PASSWORD"}, "nothing asks a role's servers with credentials yet"),
    "a stack that nobody ships": (("stacks",), {"data": {"owned": False}}, "nobody ships this stack; shipped are serving, training"),
    "a stack of the suite's": (("stacks",), {"serving": {"owned": True}}, "does not deploy or reset a stack of a target yet"),
}


@pytest.mark.parametrize("case", NOT_BUILT)
def test_what_is_not_built_is_refused_by_name(tmp_path: Path, case: str) -> None:
    keys, value, said = NOT_BUILT[case]
    raw: Any = yaml.safe_load(LOCAL.read_text())
    place = raw
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (line,) = refusal(tmp_path, yaml.safe_dump(raw))
    assert f": {'.'.join(keys)}" in line
    assert said in line


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"url": "prom"}, "prometheus.url: String should match pattern"),
        ({"url": "http://prom:port"}, "prometheus.url: it is no URL of a server: http[s]://HOST[:PORT][/PREFIX] is meant"),
        ({"url": "http://prom:99999"}, "prometheus.url: it is no URL of a server"),
        ({"url": "http://[::1"}, "prometheus.url: it is no URL of a server"),
        ({"url": "https://me:planted-pw@prom:x"}, "prometheus.url: it is no URL of a server"),
        ({"url": "https://me:planted-pw@prom"}, "prometheus.url: a URL must not hold credentials"),
        ({"url": "https://prom/p?v=1&token=planted-pw"}, "prometheus.url: a URL must not hold credentials"),
        ({"auth": {"bearer_env": "A", "basic_env": "B"}}, "prometheus.auth: one of bearer_env, basic_env, token_file, client_cert, found"),
        ({"auth": {"bearer_env": "PROM_TOKEN"}}, "prometheus.auth.bearer_env: the environment variable PROM_TOKEN is not set"),
        ({"auth": {"basic_env": "PROM_LOGIN"}}, "prometheus.auth.basic_env: the environment variable PROM_LOGIN is not set"),
        ({"auth": {"bearer_env": "planted-pw"}}, "prometheus.auth.bearer_env: String should match pattern"),
        ({"auth": {"token_file": "/nowhere/token"}}, "prometheus.auth.token_file: /nowhere/token is not a file"),
        ({"auth": {"client_cert": {"cert": "/no/c", "key": "/no/k"}}}, "prometheus.auth.client_cert.key: /no/k is not a file"),
        ({"ca_file": "/nowhere/ca.pem"}, "prometheus.ca_file: /nowhere/ca.pem is not a file"),
        (
            {"headers": {"X-Scope-OrgID": {"env": "TENANT"}}},
            "prometheus.headers.X-Scope-OrgID.env: the environment variable TENANT is not set",
        ),
        ({"headers": {"Authorization": "planted-pw"}}, "prometheus.headers.Authorization: a credential must not stand in a file"),
        ({"headers": {"x-team": {}}}, "prometheus.headers.x-team: a header is a text, or {env: NAME}"),
        ({"labels": {"no label": "x"}}, "prometheus.labels"),
    ],
)
def test_a_prometheus_that_cannot_be_asked_is_refused_without_showing_a_secret(tmp_path: Path, declared: dict[str, Any], said: str) -> None:
    raw: Any = yaml.safe_load(LOCAL.read_text())
    raw["regions"]["default"]["prometheus"] |= declared
    lines = refusal(tmp_path, yaml.safe_dump(raw))
    assert [one for one in lines if f" regions.default.{said}" in one]
    assert "planted-pw" not in "".join(lines)


def test_its_secrets_are_known_and_not_handed_on(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("planted-token\n")
    raw: Any = yaml.safe_load(LOCAL.read_text())
    raw["regions"]["default"]["prometheus"] |= {"auth": {"basic_env": "PROM_LOGIN"}, "headers": {"X-Scope-OrgID": {"env": "TENANT"}}}
    raw["regions"]["default"]["machines"]["fail"] = ["bmc", "--password", "planted-word"]
    file, environment = tmp_path / "target.yaml", {"PROM_LOGIN": "suite:planted-pw", "TENANT": "planted-tenant"}
    file.write_text(yaml.safe_dump(raw))
    target = load_target(file, environment)
    declared = target.only_region().prometheus
    assert declared is not None
    assert {"planted-pw", "suite:planted-pw", "planted-tenant"} <= set(declared.secrets(environment))
    handed_on = environment_of(target)
    assert "planted" not in str(handed_on)
    assert target_of(handed_on).only_region().server == target.only_region().server
    by_file = local_target(prometheus={"url": "http://x", "auth": {"token_file": str(token)}}).only_region().prometheus
    assert by_file is not None
    assert by_file.secrets({}) == ["planted-token"]


def test_a_run_in_two_regions_has_no_one_platform(tmp_path: Path) -> None:
    run = live_run(FakeCluster(), tmp_path, {})
    assert run.platform is run.platforms["default"]
    run.platforms["us"] = run.platform
    with pytest.raises(TargetRefused, match="this run is in regions default, us; what asks for one platform must say which"):
        _ = active_run.require().platform


def test_requests_may_be_chat_or_a_template_with_keys_in_headers(tmp_path: Path) -> None:
    raw: Any = yaml.safe_load(LOCAL.read_text())
    form = raw["workloads"]["realtime-inference"]["load"]
    form["request"] = {"api": "chat", "auth": {"header": "api-key", "env": "KEY"}}
    load = Target.model_validate(raw).workload("realtime-inference", RequestsClass)
    assert load.load.variables() == {"KEY": "load.request.auth"}
    assert load.secrets({"KEY": "Basic abcdefgh\n"}) == ["Basic abcdefgh", "abcdefgh"]
    form["request"] = {"api": "own", "template": {"path": "/g", "body": {"x": "{prompt}", "api_key": "planted"}, "answer": {"text": "t"}}}
    (line,) = refusal(tmp_path, yaml.safe_dump(raw))
    assert "load.request.template.body.api_key: a credential must not stand in a file" in line
    assert "planted" not in line
