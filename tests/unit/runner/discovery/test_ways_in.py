"""Where users come in: what was made for them comes before a node's port, and that before a name inside the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testing.platform.strangers import engine_manifests as shipped
from testing.platform.strangers.discovered import Discovered, discovered
from testing.platform.strangers.manifests import Manifest, Manifests, namespace, node, service, thing

INGRESS, GATEWAY = "networking.k8s.io/v1", "gateway.networking.k8s.io/v1"


def drafted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *ways: Manifest, **of_service: Any) -> Discovered:
    to = service("vllm", "llm", {"app": "vllm"}, 8000, **of_service)
    return discovered(Manifests([namespace("llm"), node("node-0"), *shipped.vllm(), to, *ways]), tmp_path, monkeypatch)


def endpoint(draft: Discovered) -> str:
    found: str = draft.region["endpoints"]["inference"]
    return found


def ingress(host: str = "llm.example.org", path: str = "/", tls: bool = True) -> Manifest:
    rule = {"host": host, "http": {"paths": [{"path": path, "backend": {"service": {"name": "vllm", "port": {"number": 8000}}}}]}}
    spec = {"rules": [rule], "tls": [{"hosts": [host], "secretName": "cert"}] if tls else []}
    return thing("Ingress", "llm", "llm", INGRESS, spec=spec, status={"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}]}})


def route(**listener: Any) -> list[Manifest]:
    spec = {
        "parentRefs": [{"name": "public", "namespace": "edge", "sectionName": "web"}],
        "hostnames": ["chat.example.org"],
        "rules": [{"backendRefs": [{"name": "vllm", "port": 8000}]}],
    }
    listeners = [{"name": "other", "port": 80, "protocol": "HTTP"}, {"name": "web", "port": 443, "protocol": "HTTPS"} | listener]
    gateway = thing("Gateway", "public", "edge", GATEWAY, spec={"listeners": listeners}, status={"addresses": [{"value": "203.0.113.6"}]})
    return [thing("HTTPRoute", "chat", "llm", GATEWAY, spec=spec), gateway]


def test_an_ingress_with_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoint(drafted(tmp_path, monkeypatch, ingress())) == "https://llm.example.org"


def test_an_ingress_without_a_host_has_its_balancers_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoint(drafted(tmp_path, monkeypatch, ingress(host="", tls=False))) == "http://203.0.113.5"


def test_a_prefix_of_an_ingress_is_kept_and_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = drafted(tmp_path, monkeypatch, ingress(path="/llm/"))
    assert endpoint(draft) == "https://llm.example.org/llm"
    assert "QUESTION: is the prefix /llm/ taken off before the server sees it?" in draft.comments


def test_a_path_that_is_an_expression_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = drafted(tmp_path, monkeypatch, ingress(path="/llm(/|$)(.*)"))
    assert endpoint(draft) == "https://llm.example.org"
    assert "is an expression: which path do users ask?" in draft.comments


def test_a_route_of_the_gateway_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoint(drafted(tmp_path, monkeypatch, *route())) == "https://chat.example.org"


def test_a_route_through_an_unusual_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoint(drafted(tmp_path, monkeypatch, *route(port=8080, protocol="HTTP"))) == "http://chat.example.org:8080"


def test_a_balancer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"loadBalancer": {"ingress": [{"ip": "203.0.113.8"}]}}
    assert endpoint(drafted(tmp_path, monkeypatch, type="LoadBalancer", status=given)) == "http://203.0.113.8:8000"


def test_a_node_port_is_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = drafted(tmp_path, monkeypatch, type="NodePort", port_more={"nodePort": 30080})
    assert endpoint(draft).endswith(":30080")
    assert "QUESTION: one node's address: it is lost with that node" in draft.comments


def test_without_a_way_in_the_load_runs_inside_and_a_look_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = drafted(tmp_path, monkeypatch)
    assert endpoint(draft) == "http://vllm.llm.svc.cluster.local:8000"
    assert draft.load["workers_as"] == "pods"
    assert "kubectl -n llm port-forward svc/vllm 8000" in draft.comments
    assert draft.target.regions["default"].endpoints["inference"] == endpoint(draft)


def test_the_likeliest_comes_first_and_the_others_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"loadBalancer": {"ingress": [{"ip": "203.0.113.8"}]}}
    draft = drafted(tmp_path, monkeypatch, ingress(), type="LoadBalancer", status=given, port_more={"nodePort": 30080})
    assert endpoint(draft) == "https://llm.example.org"
    assert "or http://203.0.113.8:8000: Service vllm is a LoadBalancer (role inference)" in draft.comments
    assert "workers_as" not in draft.load


def test_a_service_without_pods_of_engines_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [namespace("llm"), *shipped.vllm(), service("other", "llm", {"app": "other"}, 80)]
    draft = discovered(Manifests(objects), tmp_path, monkeypatch)
    assert "endpoints" not in draft.region
    assert draft.raw["workloads"] == {}
    assert "QUESTION: where do users come in?" in draft.comments
    assert draft.code == 0
