"""One series that is scraped more than once counts once; those that differ by the server's own labels count each."""

from __future__ import annotations

import pytest

from probes.prometheus.answer import Labels, Series
from probes.prometheus.series import once

POD = {"namespace": "llm", "pod": "vllm-0", "instance": "10.0.0.1:8000", "job": "llm/vllm", "engine": "0", "model_name": "m"}


def total(*found: Labels, values: tuple[float, ...] = ()) -> float:
    given = values or (6.0,) * len(found)
    return sum(one.value for one in once([Series(labels, ((1.0, value),)) for labels, value in zip(found, given, strict=True)]))


TWICE: dict[str, Labels] = {
    "a PodMonitor and a ServiceMonitor": {"job": "vllm", "service": "vllm", "endpoint": "http"},
    "two Prometheuses": {"prometheus": "monitoring/b", "prometheus_replica": "prometheus-b-0"},
    "annotations of pods, whose labels are added": {"job": "kubernetes-pods", "app": "vllm", "pod_template_hash": "5f", "node": "gpu-a"},
    "the port by a name": {"job": "vllm", "instance": "vllm-0:8000"},
    "a target for each container of the pod": {"container": "istio-proxy"},
}


@pytest.mark.parametrize("how", TWICE)
def test_a_series_that_is_scraped_twice_counts_once(how: str) -> None:
    first = POD | {"container": "vllm"} if "container" in how else POD
    assert total(first, first | TWICE[how]) == 6
    assert total(*[first | {"engine": rank} for rank in "01"], *[first | TWICE[how] | {"engine": rank} for rank in "01"]) == 12


@pytest.mark.parametrize(
    "other",
    [
        {"engine": "1"},
        {"dp_rank": "1"},
        {"model_name": "other"},
        {"pod": "vllm-1"},
        {"pod": "vllm-1", "instance": "10.0.0.2:8000"},
        {"namespace": "llm-b"},
        {"job": "vllm-1", "engine": "1", "instance": "10.0.0.1:8001"},
        {"container": "second", "instance": "10.0.0.1:8001"},
        {"cluster": "us"},
    ],
    ids=str,
)
def test_what_differs_by_more_than_how_it_was_scraped_counts_each(other: Labels) -> None:
    first = POD | {"dp_rank": "0", "container": "first", "cluster": "eu"}
    assert total(first, first | other) == 12


def test_without_a_label_of_the_pod_the_address_tells_replicas_apart() -> None:
    static = {"job": "vllm", "instance": "10.0.0.1:8000"}
    assert total(static, static | {"instance": "10.0.0.2:8000"}, static | {"job": "again"}) == 12
    assert total(POD, static) == 6  # and one of the pod's own address is of that pod


def test_series_that_name_no_place_are_all_kept() -> None:
    assert total({"job": "a"}, {"job": "b"}) == 12


def test_the_newer_of_two_is_taken() -> None:
    again = POD | {"job": "again"}
    assert [one.value for one in once([Series(POD, ((1.0, 6.0),)), Series(again, ((2.0, 7.0),))])] == [7.0]
    assert [one.value for one in once([Series(POD, ((3.0, 6.0),)), Series(again, ((2.0, 7.0),))])] == [6.0]


def test_through_another_prometheus_its_own_labels_are_called_exported() -> None:
    through = {"pod": "prometheus-0", "namespace": "monitoring", "instance": "prometheus:9090", "job": "federate", "engine": "0"}
    both = [through | {"exported_pod": f"vllm-{i}", "exported_namespace": "llm"} for i in range(2)]
    assert total(*both) == 12
