"""A pod that nobody outside its node can reach, told from one that answers, from one that is gone, and from an API server that is away.

A pod that sends again what its network loses, told from one that sends all once, and from one that is cut off.

A pod whom DNS fails, told from one that DNS answers, from one that is cut off from everything, and from one in which nobody can ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import NoData
from kube.selection import pod_target
from probes.network import dns_fails, out_of_reach, packets_lost
from testing.platform.fake_run import live_run
from testing.runs.runner_cluster import RunnerCluster


@pytest.fixture
def cluster(tmp_path: Path) -> RunnerCluster:
    made = RunnerCluster()
    found = made.pods["ml-serving", "inference-a"]
    found.spec.containers[0].ports = [client.V1ContainerPort(container_port=8000)]
    live_run(made, tmp_path, {"cut": [pod_target(found, "", "")]})
    return made


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


SNMP = "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: ActiveOpens OutSegs RetransSegs\nTcp: 7 {} {}\nUdp: InDatagrams\nUdp: 1\n"


def counted(*readings: tuple[int, int]) -> Iterator[str]:
    """Yield what a pod's kernel has counted since it began, at each reading: segments sent and sent again; the last reading stays."""
    for sent, again in ((0, 0), *readings):
        yield SNMP.format(1000 + sent, 50 + again)
    while True:
        yield SNMP.format(1000 + sent, 50 + again)


@pytest.mark.parametrize(
    ("readings", "lost"),
    [
        ([(100, 20)], True),
        ([(100, 3)], True),
        ([(30, 0), (60, 2), (90, 3)], True),  # few segments: asked again until it can be told from chance
        ([(100, 2)], False),
        ([(300, 3)], False),
        ([(0, 0)], False),
    ],
)
def test_a_lossy_pod_sends_again_a_tenth_of_what_is_lost(
    cluster: RunnerCluster, monkeypatch: pytest.MonkeyPatch, readings: list[tuple[int, int]], lost: bool
) -> None:
    said = counted(*readings)
    monkeypatch.setattr("kube.container_exec.output_of", lambda *_: next(said))
    assert packets_lost("cut", "inference", 20) is lost


def test_a_pod_that_sends_again_and_answers_nobody_is_cut_off_and_not_lossy(
    cluster: RunnerCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = counted((10, 10))
    monkeypatch.setattr("kube.container_exec.output_of", lambda *_: next(said))
    cluster.silent = {"inference-a:8000"}
    assert packets_lost("cut", "inference", 20) is False


@pytest.mark.parametrize("said", ["", "Tcp: OutSegs\nTcp: 7\n", "Tcp: OutSegs RetransSegs\n"])
def test_a_kernel_that_does_not_count_segments_is_no_evidence(cluster: RunnerCluster, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr("kube.container_exec.output_of", lambda *_: said)
    with pytest.raises(NoData, match="does not count TCP segments there"):
        packets_lost("cut", "inference", 20)


@pytest.mark.parametrize(
    ("said", "silent", "servfail"),
    [("0\n0\n", False, False), ("0\n124\n", True, False), ("0\n143\n", True, False), ("0\n2\n", False, True)],
)
def test_dns_that_fails_is_told_by_how(
    cluster: RunnerCluster, monkeypatch: pytest.MonkeyPatch, said: str, silent: bool, servfail: bool
) -> None:
    asked = list[Any]()
    monkeypatch.setattr("kube.container_exec.output_of", lambda _platform, *given: asked.append(given) or said)
    assert dns_fails("cut", "inference") is silent
    assert dns_fails("cut", "inference", "servfail") is servfail
    assert [given[:3] for given in asked] == [("inference-a", "ml-serving", "server")] * 2


def test_a_pod_cut_off_from_everything_is_none_whom_dns_fails(cluster: RunnerCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube.container_exec.output_of", lambda *_: "0\n124\n")
    cluster.silent = {"inference-a:8000"}
    assert dns_fails("cut", "inference") is False


@pytest.mark.parametrize("said", ["127\n127\n", "124\n124\n", "0\n", ""])
def test_where_localhost_cannot_be_looked_up_nothing_is_said_of_dns(
    cluster: RunnerCluster, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr("kube.container_exec.output_of", lambda *_: said)
    with pytest.raises(NoData, match="nothing can be said of DNS"):
        dns_fails("cut", "inference")


def test_another_way_to_fail_is_no_evidence(cluster: RunnerCluster) -> None:
    with pytest.raises(NoData, match="how is 'refused'; write one of silent, servfail"):
        dns_fails("cut", "inference", "refused")


def test_a_role_that_names_no_container_is_asked_in_its_first(cluster: RunnerCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[Any]()
    monkeypatch.setattr("kube.container_exec.output_of", lambda _platform, *given: asked.append(given[2]) or "0\n0\n")
    assert dns_fails("cut", "gateway") is False
    assert asked == ["server"]
