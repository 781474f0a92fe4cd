"""A pod that nobody outside its node can reach, told from one that answers, from one that is gone, and from an API server that is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import NoData
from kube.selection import pod_target
from probes.network import out_of_reach
from safety import active_run
from testing.platform.fake_run import live_run
from testing.runs.runner_cluster import RunnerCluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RunnerCluster]:
    made = RunnerCluster()
    found = made.pods["ml-serving", "inference-a"]
    found.spec.containers[0].ports = [client.V1ContainerPort(container_port=8000)]
    live_run(made, tmp_path, {"cut": [pod_target(found, "", "")]})
    yield made
    active_run.activate(None)


def test_a_pod_that_answers_is_in_reach(cluster: RunnerCluster) -> None:
    assert out_of_reach("cut") is False


def test_a_pod_that_does_not_answer_is_out_of_reach(cluster: RunnerCluster) -> None:
    cluster.silent = {"inference-a:8000"}
    assert out_of_reach("cut") is True


@pytest.mark.parametrize(("status", "reached"), [(404, True), (500, True), (502, False), (503, False), (504, False)])
def test_an_error_of_the_pod_is_an_answer_one_of_the_api_server_is_none(
    cluster: RunnerCluster, monkeypatch: pytest.MonkeyPatch, status: int, reached: bool
) -> None:
    def proxied(*_: Any, **__: Any) -> None:
        raise ApiException(status=status, reason="x")

    monkeypatch.setattr(cluster, "connect_get_namespaced_pod_proxy_with_path", proxied)
    assert out_of_reach("cut") is not reached


@pytest.mark.parametrize(
    ("body", "reached"),
    [
        ("<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>", True),
        ('{"kind":"Status","apiVersion":"v1","message":"error trying to reach service: dial tcp 10.244.1.7:8000: i/o timeout"}', False),
        ("Error trying to reach service: 'dial tcp 10.244.1.7:8000: connect: no route to host'", False),
        ('{"kind":"Status","apiVersion":"v1","message":"the server is currently unable to handle the request"}', False),
    ],
)
def test_a_503_is_told_by_its_words(cluster: RunnerCluster, monkeypatch: pytest.MonkeyPatch, body: str, reached: bool) -> None:
    def proxied(*_: Any, **__: Any) -> None:
        error = ApiException(status=503, reason="Service Unavailable")
        error.body = body
        raise error

    monkeypatch.setattr(cluster, "connect_get_namespaced_pod_proxy_with_path", proxied)
    assert out_of_reach("cut") is not reached


def test_a_pod_that_is_gone_proves_nothing(cluster: RunnerCluster) -> None:
    del cluster.pods["ml-serving", "inference-a"]
    with pytest.raises(NoData, match="it is gone, so nobody can say"):
        out_of_reach("cut")


def test_a_pod_without_a_port_cannot_be_asked(cluster: RunnerCluster) -> None:
    cluster.pods["ml-serving", "inference-a"].spec.containers[0].ports = None
    with pytest.raises(NoData, match="its containers name no port"):
        out_of_reach("cut")


def test_an_api_server_that_goes_away_is_not_taken_for_a_cut(cluster: RunnerCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    read, asked = cluster.read_namespaced_pod, iter(range(9))

    def once(name: str, namespace: str) -> Any:
        if next(asked):
            raise ApiException(status=500, reason="etcd is away")
        return read(name, namespace)

    cluster.silent = {"inference-a:8000"}
    monkeypatch.setattr(cluster, "read_namespaced_pod", once)
    with pytest.raises(NoData, match="ask the API server once more"):
        out_of_reach("cut")
