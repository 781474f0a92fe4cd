"""Pods whose containers have readiness probes, and what comes of asking them through a cluster's ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubernetes import client

from kube.client import Platform
from kube.health.choice import choose_ways
from kube.health.serving import serving
from kube.objects import Pod
from target.role import Role
from testing.platform.fake_cluster import pod

PATIENT_S = 5  # the machine of a test may be busy
ROLE = "gateway"  # which has no endpoint of its own: its probes are asked


def http_get(port: int | str, path: str = "/health", scheme: str | None = None, headers: dict[str, str] | None = None) -> client.V1Probe:
    named = [client.V1HTTPHeader(name=name, value=value) for name, value in (headers or {}).items()] or None
    return client.V1Probe(
        timeout_seconds=PATIENT_S, http_get=client.V1HTTPGetAction(path=path, port=port, scheme=scheme, http_headers=named)
    )


def tcp(port: int) -> client.V1Probe:
    return client.V1Probe(tcp_socket=client.V1TCPSocketAction(port=port))


def command(*words: str) -> client.V1Probe:
    return client.V1Probe.model_validate({"exec": {"command": list(words)}})


def probed_pod(*probes: client.V1Probe | None, name: str = "gateway-a", ports: Sequence[tuple[str, int]] = ()) -> Pod:
    """Return a ready pod with a container for each probe."""
    made = pod(name, "cpu-a", app="gateway")
    named = [client.V1ContainerPort(name=called, container_port=port) for called, port in ports]
    made.spec.containers = [client.V1Container(name=f"c{i}", readiness_probe=probe, ports=named) for i, probe in enumerate(probes)]
    made.status.pod_ip = "127.0.0.1"
    return made


def plain_role() -> Role:
    return Role(namespace="ml-serving", selector="app=gateway")


def ready_through(platform: Platform, *pods: Pod) -> tuple[int, str]:
    """Let preflight choose the ways for pods, then count the ready ones; return the number, and the ways in words."""
    choose_ways(platform, {ROLE: list(pods)})
    ways: Any = platform.ways.get(ROLE)
    return len(serving(platform, ROLE, pods)), ways.sentence if ways else ""
