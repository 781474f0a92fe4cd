"""Whose series a Prometheus has: those of this cluster's pods, or another's, said by their labels."""

from __future__ import annotations

from probes.prometheus.whose import known_pods, others
from testing.platform.prometheus_server import Scraped, prometheus_server, region_of, waiting

PODS = {"inference-a", "inference-b"}


def up(instance: str, **labels: str) -> Scraped:
    return Scraped({"__name__": "up", "instance": instance} | labels, 1.0)


def test_it_knows_the_pods_of_which_it_has_a_series_by_whatever_label_names_them() -> None:
    with prometheus_server(waiting(0), waiting(0, "stranger")) as server:
        assert known_pods(region_of(server), PODS) == {"inference-a"}
        assert known_pods(region_of(server), set()) == frozenset()
    with prometheus_server(waiting(0, pod="", kubernetes_pod_name="inference-b")) as server:
        assert known_pods(region_of(server), PODS) == {"inference-b"}


def test_a_store_of_many_clusters_is_asked_by_the_labels_of_this_one() -> None:
    with prometheus_server(waiting(0, cluster="us")) as server:
        assert known_pods(region_of(server, labels={"cluster": "us"}), PODS) == {"inference-a"}
        assert known_pods(region_of(server, labels={"cluster": "eu"}), PODS) == frozenset()


def test_what_it_has_instead_is_said_by_the_labels_that_say_where() -> None:
    with prometheus_server(up("a:1", cluster="us", namespace="shop"), up("b:1")) as server:
        assert set(others(region_of(server)).split("; ")) == {
            'cluster="us", namespace="shop"',
            "targets whose labels say nothing of where they are",
        }
    with prometheus_server() as server:
        assert others(region_of(server)) == ""
