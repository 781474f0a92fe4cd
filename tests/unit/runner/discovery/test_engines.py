"""Each engine, deployed as its own project does, becomes a role and a class that the reader of target files takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from target.requests import RequestsClass
from testing.platform.strangers import engine_manifests as shipped
from testing.platform.strangers.discovered import Discovered, discovered
from testing.platform.strangers.manifests import Manifest, Manifests, container, namespace, node, service, workload

NODES = [node("node-0", "a", 2), node("node-1", "b", 2), node("node-2", "c", 2)]
CASES: dict[str, tuple[Callable[[], list[Manifest]], dict[str, Any], str, str]] = {
    "vllm": (
        lambda: [*shipped.vllm(), service("vllm", "llm", {"app": "vllm"}, 8000)],
        {
            "namespace": "llm", "selector": "app=vllm", "controller": {"kind": "Deployment", "name": "vllm"}, "service": "vllm",
            "container": "vllm", "health": {"port": 8000, "path": "/health"}, "adapter": "vllm",
        },
        "http://vllm.llm.svc.cluster.local:8000", "meta-llama/Llama-3.1-8B-Instruct",
    ),
    "production-stack": (
        shipped.production_stack,
        {
            "namespace": "stack", "selector": "model=llama3", "adapter": "vllm",
            "controller": {"kind": "Deployment", "name": "stack-llama3-deployment-vllm"},
        },
        "http://stack-router-service.stack.svc.cluster.local", "meta-llama/Llama-3.1-8B-Instruct",
    ),
    "llm-d": (
        shipped.llm_d, {"namespace": "llm-d", "selector": "llm-d.ai/role=decode", "adapter": "vllm", "container": "vllm"},
        "http://203.0.113.7", "Qwen/Qwen3-0.6B",
    ),
    "sglang": (
        shipped.sglang, {"selector": "app=llama-sglang", "health": {"port": 30000, "path": "/health"}, "adapter": "sglang"},
        "http://lb.example.org:30000", "meta-llama/Llama-3.1-8B-Instruct",
    ),
    "tgi": (
        shipped.tgi, {"selector": "app=gemma", "adapter": "tgi", "health": {"port": 80, "path": "/health"}},
        "http://tgi.llm.svc.cluster.local", "google/gemma-2-2b-it",
    ),
    "triton": (
        shipped.triton,
        {"selector": "app=triton-inference-server", "adapter": "triton", "health": {"port": 8000, "path": "/v2/health/ready"}},
        "http://example-triton.llm.svc.cluster.local:8000", "MODEL",
    ),
    "llama.cpp": (
        shipped.llama_cpp,
        {"controller": {"kind": "StatefulSet", "name": "tiny"}, "adapter": "llama.cpp", "health": {"port": 8080, "path": "/health"}},
        "http://tiny.edge.svc.cluster.local:8080", "/models/q4.gguf",
    ),
    "ray-serve": (
        shipped.ray_serve, {"selector": "ray.io/group=gpu", "replicas": 2, "container": "ray-worker"},
        "http://qa-serve-svc.ray.svc.cluster.local:8000", "MODEL",
    ),
    "kserve": (
        shipped.kserve,
        {"controller": {"kind": "Deployment", "name": "gemma-predictor"}, "adapter": "vllm", "container": "kserve-container"},
        "https://gemma.models.example.org/openai", "gemma",
    ),
}  # fmt: skip


def spaces(objects: list[Manifest]) -> list[Manifest]:
    names = sorted({one["metadata"]["namespace"] for one in objects if one["metadata"].get("namespace")})
    return [namespace(name) for name in names]


@pytest.mark.parametrize("name", CASES)
def test_an_engine_is_drafted_and_its_draft_is_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, expected, endpoint, model = CASES[name]
    objects = made()
    draft = discovered(Manifests([*spaces(objects), *NODES, *objects]), tmp_path, monkeypatch)
    assert draft.code == 0
    found = draft.roles["inference"]
    assert {key: found.get(key) for key in expected} == expected
    assert draft.region["endpoints"] == {"inference": endpoint}
    assert draft.load["model"] == model
    target = draft.target
    assert isinstance(target.workloads["realtime-inference"], RequestsClass)
    assert target.regions["default"].namespaces == (expected.get("namespace") or found["namespace"],)
    assert "because" in draft.above("inference:")
    assert not draft.roles["inference"].get("adapter") or draft.roles["inference"]["adapter"] == target.roles["inference"].adapter


def test_what_an_engine_speaks_is_what_the_load_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def request(objects: list[Manifest], folder: str) -> Any:
        (tmp_path / folder).mkdir()
        return discovered(Manifests([*spaces(objects), *objects]), tmp_path / folder, monkeypatch).load.get("request")

    assert request(CASES["vllm"][0](), "vllm") is None
    assert request(shipped.tgi(), "tgi") == {"api": "chat"}
    assert request(shipped.triton(), "triton")["template"]["path"] == "/v2/models/{model}/generate"


def test_prefill_and_decode_are_a_role_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = discovered(Manifests([namespace("llm-d"), *shipped.llm_d()]), tmp_path, monkeypatch)
    assert draft.roles["inference-ms-qwen-prefill"]["selector"] == "llm-d.ai/role=prefill"
    assert draft.roles["gateway"]["controller"]["name"] == "inference-istio"
    assert "inference-istio" in draft.above("gateway:")
    assert "failureMode" in draft.comments


def plain(name: str, labels: dict[str, str], port: int, **more: Any) -> list[Manifest]:
    box = container("model", "registry.acme/opaque:3", "python3 serve.py", {"api": port}, **more)
    return [*workload(name, "acme", labels, box), service(name, "acme", labels, port, "api")]


def of_metrics(names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Discovered:
    """Return the draft of servers under names and images that say nothing, which have these metrics."""
    cluster = Manifests([namespace("acme"), *plain("llm", {"tier": "llm"}, 7000)])
    cluster.answers["llm-0", 7000, "/metrics"] = "".join(f"# TYPE {one} gauge\n{one} 0\n" for one in names.split()).encode()
    return discovered(cluster, tmp_path, monkeypatch)


def test_a_server_of_no_known_name_is_known_by_its_own_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = of_metrics("sglang:num_queue_reqs sglang:num_requests_total", tmp_path, monkeypatch)
    assert draft.roles["inference"]["adapter"] == "sglang"
    assert "metric sglang:num_queue_reqs" in draft.above("inference:")


def test_a_gauge_alone_makes_no_engine_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = of_metrics("vllm:num_requests_waiting", tmp_path, monkeypatch)
    assert "adapter" not in draft.roles["inference"]
    assert draft.roles["inference"]["metrics"] == {"queue": "vllm:num_requests_waiting"}
    assert "QUESTION: which process is the engine?" in draft.comments
    assert draft.code == 0


def test_what_is_no_engine_becomes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = of_metrics("http_requests_total", tmp_path, monkeypatch)
    assert (draft.code, draft.roles, draft.raw["workloads"]) == (0, {}, {})
    assert "QUESTION: what serves, trains, stores?" in draft.comments


def test_the_model_that_a_server_says_it_serves_comes_before_its_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Manifests([namespace("llm"), *shipped.vllm(), service("vllm", "llm", {"app": "vllm"}, 8000)])
    cluster.answers["vllm-0", 8000, "/v1/models"] = json.dumps({"data": [{"id": "llama-served"}]}).encode()
    assert discovered(cluster, tmp_path, monkeypatch).load["model"] == "llama-served"


@pytest.mark.parametrize(
    ("command", "model"),
    [
        ("vllm serve org/a", "org/a"),
        ("vllm serve org/a --served-model-name b", "b"),
        ("python3 -m vllm.entrypoints.openai.api_server --model=org/a", "org/a"),
        ("vllm serve --port 8000", "MODEL"),
        ("vllm serve $MODEL_PATH", "MODEL"),
    ],
)
def test_the_model_of_a_command_line(command: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Manifests([namespace("llm"), *shipped.vllm(command=command), service("vllm", "llm", {"app": "vllm"}, 8000)])
    assert discovered(cluster, tmp_path, monkeypatch).load["model"] == model


def test_two_engines_with_labels_of_their_own_are_two_roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [
        one for name, count in (("big", 3), ("small", 2)) for one in shipped.vllm(name, "llm", {"app": "llm", "variant": name}, count)
    ]
    draft = discovered(Manifests([namespace("llm"), *objects, service("llm", "llm", {"app": "llm"}, 8000)]), tmp_path, monkeypatch)
    assert draft.roles["inference"]["selector"] == "variant=big"
    assert draft.roles["inference-small"]["selector"] == "variant=small"
    assert "Service llm leads to Deployment small in llm, too" in draft.above("inference:")


def test_two_engines_that_no_label_tells_apart_are_one_role_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = container("a", "lmsysorg/sglang:latest", "python3 -m sglang.launch_server", {"": 30000})
    objects = shipped.vllm("vllm", labels={"app": "llm"}) + workload("sglang", "llm", {"app": "llm"}, one)
    draft = discovered(Manifests([namespace("llm"), *objects, service("llm", "llm", {"app": "llm"}, 8000)]), tmp_path, monkeypatch)
    assert list(draft.roles) == ["inference"]
    found = draft.roles["inference"]
    assert (found["selector"], "controller" in found, "adapter" in found) == ("app=llm", False, False)
    assert "carry the same labels: no selector tells them apart" in draft.comments
    assert "these are different engines (sglang, vllm)" in draft.comments
    assert draft.code == 0
