"""File targets for Prometheus out of pods."""

import json
from pathlib import Path

from kubernetes import client

from workloads.monitoring import discovery


def pod(name: str, address: str | None) -> client.V1Pod:
    ports = [client.V1ContainerPort(name="http", container_port=8000), client.V1ContainerPort(container_port=9999)]
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, namespace="ml-serving", labels={"app": "inference", "app.kubernetes.io/name": "inference"}),
        spec=client.V1PodSpec(containers=[client.V1Container(name="server", ports=ports)], node_name="gpu-a"),
        status=client.V1PodStatus(phase="Running", pod_ip=address),
    )


def test_a_pod_with_an_address_is_a_target_for_each_named_port() -> None:
    found = discovery.targets([pod("b", "10.0.0.2"), pod("a", "10.0.0.1"), pod("without-address", None)])
    assert [entry["targets"] for entry in found] == [["10.0.0.1:8000"], ["10.0.0.2:8000"]]
    assert found[0]["labels"] == {
        "__meta_kubernetes_namespace": "ml-serving",
        "__meta_kubernetes_pod_name": "a",
        "__meta_kubernetes_pod_node_name": "gpu-a",
        "__meta_kubernetes_pod_phase": "Running",
        "__meta_kubernetes_pod_container_port_name": "http",
        "__meta_kubernetes_pod_label_app": "inference",
        "__meta_kubernetes_pod_label_app_kubernetes_io_name": "inference",
    }


def test_the_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "ml-serving.json"
    discovery.write(path, [{"targets": ["10.0.0.1:8000"], "labels": {}}])
    before = path.stat().st_ino
    discovery.write(path, [])
    assert json.loads(path.read_text()) == []
    assert path.stat().st_ino != before
    assert list(tmp_path.iterdir()) == [path]
