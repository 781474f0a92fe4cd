"""Which Prometheus: found, reached or not, of this cluster or of another, by the series that it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

from history.errors import NoData
from probes.prometheus.answer import Labels
from runner.discovery.prometheus import TRIES, patiently
from runner.discovery.series import whose
from testing.platform.prometheus_server import PrometheusServer, prometheus_server, waiting
from testing.platform.strangers import engine_manifests as shipped
from testing.platform.strangers.discovered import Discovered, discovered, surveyed
from testing.platform.strangers.manifests import Manifest, Manifests, container, namespace, prometheus_answers, service, thing, workload

QUERY = "/api/v1/query"
WAITING = "vllm:num_requests_waiting"


def gauge(pod: str, **labels: str) -> dict[str, str]:
    return {"__name__": WAITING, "namespace": "llm", "pod": pod} | labels


def platform(*more: Manifest, monitoring: str = "monitoring", **spec: Any) -> Manifests:
    box = container("prometheus", "quay.io/prometheus/prometheus:v3.5.0", "", {"web": 9090})
    labels = {"app.kubernetes.io/name": "prometheus", "operator.prometheus.io/name": "k8s"}
    objects = [namespace("llm"), namespace(monitoring), *shipped.vllm(), service("vllm", "llm", {"app": "vllm"}, 8000)]
    objects += workload("prometheus-k8s", monitoring, labels, box, 1, "StatefulSet")
    return Manifests([*objects, service("prometheus", monitoring, labels, 9090, "web", **spec), *more])


def through_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *series: dict[str, str]) -> Discovered:
    cluster = platform()
    cluster.answers["prometheus", 9090, QUERY] = prometheus_answers(*series)
    return discovered(cluster, tmp_path, monkeypatch)


def outside(server: PrometheusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Discovered:
    """Return the draft of a cluster whose operator says at which URL its Prometheus answers."""
    made = thing("Prometheus", "k8s", "monitoring", "monitoring.coreos.com/v1", spec={"externalUrl": server.url})
    return discovered(platform(made), tmp_path, monkeypatch)


def test_a_prometheus_of_this_cluster_that_answers_here_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with prometheus_server(waiting(0, "vllm-0", namespace="llm")) as server:
        draft = outside(server, tmp_path, monkeypatch)
    assert draft.region["prometheus"] == {"url": server.url}
    assert "answered there and has series of Deployment vllm in llm" in draft.above("prometheus:")
    assert "of gauges of engines it has vllm:num_requests_waiting" in draft.above("prometheus:")
    assert draft.raw["workloads"]["realtime-inference"]["steady_state"] == {"queue_max": 10}
    assert draft.region["instruments"] == [{"namespace": "monitoring", "selector": "app.kubernetes.io/name=prometheus"}]
    assert draft.target.only_region().prometheus is not None


def test_one_prometheus_of_two_clusters_is_written_with_the_label_of_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = waiting(0, "vllm-0", namespace="llm", cluster="eu"), waiting(5, "vllm-9", namespace="llm", cluster="us")
    with prometheus_server(ours, theirs) as server:
        draft = outside(server, tmp_path, monkeypatch)
    assert draft.region["prometheus"]["labels"] == {"cluster": "eu"}
    assert 'it has series of another cluster, too (cluster="us", pod vllm-9)' in draft.comments


def test_a_prometheus_of_another_cluster_is_said_by_its_labels_and_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with prometheus_server(waiting(5, "vllm-9", namespace="llm", cluster="us-east")) as server:
        draft = outside(server, tmp_path, monkeypatch)
    assert "prometheus" not in draft.region
    assert 'another cluster\'s? It has no series of any pod here, but of cluster="us-east", pod vllm-9' in draft.comments
    assert "steady_state" not in draft.raw["workloads"]["realtime-inference"]


def test_one_that_only_the_api_server_reaches_is_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = through_service(tmp_path, monkeypatch, gauge("vllm-0"))
    assert "prometheus" not in draft.region
    assert "Through the API server it answers, and has series of pods here" in draft.comments
    assert "kubectl -n monitoring port-forward svc/prometheus 9090" in draft.comments
    assert draft.code == 0


def test_one_that_scrapes_nobody_right_now_is_known_by_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service without ready pods has no addresses in DNS, so what scrapes those has no target for a moment."""
    cluster = platform()
    cluster.answers["prometheus", 9090, QUERY] = prometheus_answers({"namespace": "llm", "pod": "vllm-0"}, lately=True)
    draft = discovered(cluster, tmp_path, monkeypatch)
    assert "Through the API server it answers, and has series of pods here" in draft.comments


def test_one_that_does_not_scrape_engines_is_asked_what_it_scrapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*series: dict[str, str]) -> Any:
        cluster = platform()
        cluster.answers["prometheus", 9090, QUERY] = prometheus_answers(*series)
        (one,) = surveyed(cluster, tmp_path, monkeypatch).prometheus
        return one

    assert found({"namespace": "llm", "pod": "vllm-1"}).of_here
    assert found({"namespace": "web", "pod": "shop-1", "cluster": "us"}).of_elsewhere
    nothing = found()
    assert (nothing.answered, nothing.of_here, nothing.of_elsewhere) == (True, False, False)


def test_one_that_nobody_may_ask_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = platform()
    cluster.forbidden = {"services/proxy"}
    draft = discovered(cluster, tmp_path, monkeypatch)
    assert "It did not answer: " in draft.comments
    assert "get services/proxy in monitoring: may not be read" in draft.comments


def test_without_any_the_draft_says_what_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [namespace("llm"), *shipped.vllm(), service("vllm", "llm", {"app": "vllm"}, 8000)]
    draft = discovered(Manifests(objects), tmp_path, monkeypatch)
    assert "QUESTION: where is Prometheus? None was found in what may be read. Left out: what needs it is not asked" in draft.comments
    assert discovered_with_names(objects, tmp_path, monkeypatch).count("Name that, too: --namespace") == 1


def discovered_with_names(objects: list[Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "named"
    folder.mkdir()
    return discovered(Manifests(objects), folder, monkeypatch, "llm").comments


def test_a_password_in_the_operators_url_is_neither_used_nor_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = thing(
        "Prometheus", "k8s", "monitoring", "monitoring.coreos.com/v1", spec={"externalUrl": "https://u:hunter2secret@prom.example.org"}
    )
    draft = discovered(platform(made), tmp_path, monkeypatch)
    assert "hunter2secret" not in draft.text
    assert draft.code == 0


def test_series_that_name_no_pod_are_known_by_the_address_of_their_scrape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = surveyed(platform(), tmp_path, monkeypatch).workloads
    engine = next(one for one in found if one.name == "vllm")
    of_engine = {"__name__": WAITING, "instance": f"{engine.pods[0].address}:8000"}
    told = whose([of_engine, {"instance": "10.9.9.9:8000"}], found)
    assert list(told.by_workload) == [engine]
    assert told.foreign == ({"instance": "10.9.9.9:8000"},)


def test_a_namespace_under_another_label_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = waiting(0, "vllm-0", namespace="", exported_namespace="llm")
    with prometheus_server(series) as server:
        draft = outside(server, tmp_path, monkeypatch)
    assert draft.roles["inference"]["metrics"] == {"labels": {"exported_namespace": "llm"}}


def failing(cause: Exception, times: int) -> tuple[Callable[[str], list[Labels]], list[str]]:
    """Return a Prometheus that answers after so many failures, and what it was asked."""
    asked: list[str] = []

    def ask(promql: str) -> list[Labels]:
        asked.append(promql)
        if len(asked) <= times:
            raise NoData("it did not answer") from cause
        return [{"pod": "vllm-0"}]

    return ask, asked


SLOW = urllib3.exceptions.ReadTimeoutError(urllib3.HTTPConnectionPool("here"), "/", "read timed out")


@pytest.mark.parametrize(
    "cause",
    [requests.exceptions.ReadTimeout(), SLOW, urllib3.exceptions.MaxRetryError(SLOW.pool, "/", SLOW)],
    ids=["url", "service", "retried"],
)
def test_a_slow_one_is_asked_again(cause: Exception) -> None:
    ask, asked = failing(cause, TRIES - 1)
    assert patiently(ask, "up") == [{"pod": "vllm-0"}]
    assert asked == ["up"] * TRIES


@pytest.mark.parametrize(
    ("cause", "times"), [(requests.exceptions.ConnectTimeout(), 1), (requests.exceptions.ReadTimeout(), TRIES)], ids=["away", "always slow"]
)
def test_one_that_is_away_or_always_slow_is_given_up(cause: Exception, times: int) -> None:
    ask, asked = failing(cause, TRIES)
    with pytest.raises(NoData, match="it did not answer"):
        patiently(ask, "up")
    assert len(asked) == times
