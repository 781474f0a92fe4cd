"""What a container's log says, line by line."""

from __future__ import annotations

import pytest
from kubernetes import client

from kube.containers import DEFAULT, main_container, names_of, objects_in
from kube.objects import Pod
from kube.proxy import first_port
from testing.platform.fake_cluster import pod


@pytest.mark.parametrize(
    ("log", "objects"),
    [
        (None, []),
        ("", []),
        ('{"armed": true}\nWarning: slow\n{"did": "cut"}\n', [{"armed": True}, {"did": "cut"}]),
        ('{"did": "cut"}\n{"did": "und', [{"did": "cut"}]),  # the last line is being written
        ("{not JSON}\n[1]\n7\n", []),
    ],
)
def test_lines_that_are_no_objects_are_left_out(log: str | None, objects: list[dict[str, object]]) -> None:
    assert objects_in(log) == objects


def of_mesh(*names: str, annotation: str = "") -> Pod:
    made = pod("a")
    made.spec.containers = [
        client.V1Container(name=name, ports=[client.V1ContainerPort(container_port=8000 + len(name))]) for name in names
    ]
    made.spec.init_containers = [client.V1Container(name="proxy", restart_policy="Always"), client.V1Container(name="download")]
    made.metadata.annotations = {DEFAULT: annotation} if annotation else None
    return made


@pytest.mark.parametrize(
    ("made", "name", "found"),
    [
        (of_mesh("istio-proxy", "vllm"), None, "vllm"),
        (of_mesh("istio-proxy", "vllm"), "istio-proxy", "istio-proxy"),
        (of_mesh("queue-proxy", "user-container", "vllm", annotation="vllm"), None, "vllm"),
        (of_mesh("server", "logs"), None, "server"),
        (of_mesh("istio-proxy"), None, "istio-proxy"),
    ],
)
def test_a_sidecar_is_not_taken_for_the_application(made: Pod, name: str | None, found: str) -> None:
    assert main_container(made, name).name == found


def test_sidecars_are_called_so_and_their_ports_come_last() -> None:
    made = of_mesh("istio-proxy", "vllm")
    assert names_of(made) == "istio-proxy (a sidecar), vllm, proxy (a native sidecar)"
    assert first_port(made) == 8004
