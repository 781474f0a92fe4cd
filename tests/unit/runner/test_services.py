"""Whether an endpoint leads to a Service, and what that does with connections."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client import (
    V1LoadBalancerIngress,
    V1LoadBalancerStatus,
    V1ObjectMeta,
    V1Service,
    V1ServicePort,
    V1ServiceSpec,
    V1ServiceStatus,
)
from kubernetes.client.exceptions import ApiException

from runner.drivers.requests.services import session_affinity


def service(**spec: Any) -> V1Service:
    ports = [V1ServicePort(port=80, node_port=30080)]
    address = V1LoadBalancerStatus(ingress=[V1LoadBalancerIngress(ip="203.0.113.9", hostname="lb.example.com")])
    plain = {"cluster_ip": "10.96.0.7", "cluster_ips": ["10.96.0.7", "fd00::7"], "ports": ports, "session_affinity": "None"}
    return V1Service(
        metadata=V1ObjectMeta(name="engine", namespace="ml"),
        spec=V1ServiceSpec(**plain | spec),
        status=V1ServiceStatus(load_balancer=address),
    )


def affinity(url: str, **spec: Any) -> str:
    platform: Any = SimpleNamespace(core=SimpleNamespace(read_namespaced_service=lambda *_: service(**spec)))
    return session_affinity(platform, "ml", "engine", url)


@pytest.mark.parametrize(
    "url",
    [
        "http://engine/v1",
        "http://engine.ml:8000",
        "http://engine.ml.svc.cluster.local",
        "http://10.96.0.7",
        "http://[fd00::7]:80",
        "http://203.0.113.9",
        "https://lb.example.com",
        "http://192.0.2.4:30080",
    ],
)
def test_an_endpoint_that_leads_to_the_service_has_its_affinity(url: str) -> None:
    assert affinity(url) == "None"
    assert affinity(url, session_affinity="ClientIP") == "ClientIP"


@pytest.mark.parametrize("url", ["http://gateway.ml", "http://engine.other", "http://192.0.2.4:31000", "http://engine.mlx.svc"])
def test_an_endpoint_that_leads_elsewhere_says_nothing_of_it(url: str) -> None:
    assert affinity(url) == ""


def test_a_port_that_leads_to_the_pods_of_one_node_shares_nothing_fairly() -> None:
    assert affinity("http://192.0.2.4:30080", external_traffic_policy="Local") == ""


def test_a_service_that_cannot_be_read_says_nothing() -> None:
    def refuse(*_: object) -> None:
        raise ApiException(status=403)

    platform: Any = SimpleNamespace(core=SimpleNamespace(read_namespaced_service=refuse))
    assert session_affinity(platform, "ml", "engine", "http://engine") == ""
