"""A store that answers badly, told from one that answers, and from the API server's own refusals."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import pytest
from kubernetes import client

from faults.node_agent.proxy import NOTHING_FOUND, SLOW_DOWN
from history.errors import NoData
from kube.proxy import Answer
from kube.selection import pod_target
from probes import object_store
from testing.platform.fake_run import live_run
from testing.runs.runner_cluster import RunnerCluster

FORBIDDEN = Answer(403, b"<Error><Code>AccessDenied</Code></Error>", 0.01)
REFUSED = Answer(503, SLOW_DOWN.encode(), 0.01)


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path) -> RunnerCluster:
    made = RunnerCluster()
    pods = [made.pods["ml-serving", name] for name in ("inference-a", "inference-b")]
    for pod in pods:
        pod.spec.containers[0].ports = [client.V1ContainerPort(container_port=7070)]
    live_run(made, tmp_path, {"act": [pod_target(pod, "", "") for pod in pods]})
    return made


def answering(monkeypatch: pytest.MonkeyPatch, **answers: list[Answer]) -> None:
    """Let pods answer by name, in turn; all others as a store that nothing is wrong with."""
    turns = {name.replace("_", "-"): cycle(said) for name, said in answers.items()}
    monkeypatch.setattr(object_store, "ask_pod", lambda _platform, pod, *_, **__: next(turns.get(pod.metadata.name, cycle([FORBIDDEN]))))


def test_a_store_that_answers_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch)
    assert not object_store.refusing("act")
    assert not object_store.late("act", 400)
    assert not object_store.hiding("act", "training")


def test_a_storm_must_be_met_at_every_server(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [FORBIDDEN, FORBIDDEN, REFUSED]
    answering(monkeypatch, inference_a=some)
    assert not object_store.refusing("act")
    answering(monkeypatch, inference_a=some, inference_b=some)
    assert object_store.refusing("act")


def test_a_503_of_the_api_server_is_no_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [Answer(503, b"error trying to reach service: dial tcp: connection refused", 0.01)]
    answering(monkeypatch, inference_a=own, inference_b=own)
    assert not object_store.refusing("act")


def test_one_quick_answer_is_not_late_and_no_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Answer(403, b"", 0.45)
    answering(monkeypatch, inference_a=[late], inference_b=[*[late] * 9, FORBIDDEN])
    assert not object_store.late("act", 400)
    answering(monkeypatch, inference_a=[late], inference_b=[Answer(504, b"", 5.0)])
    assert not object_store.late("act", 400)
    answering(monkeypatch, inference_a=[late], inference_b=[late])
    assert object_store.late("act", 400)


def test_an_empty_listing_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = [Answer(200, NOTHING_FOUND.encode(), 0.01)]
    answering(monkeypatch, inference_a=empty)
    assert not object_store.hiding("act", "training")
    answering(monkeypatch, inference_a=empty, inference_b=empty)
    assert object_store.hiding("act", "training")


def test_a_server_that_is_gone_proves_nothing(cluster: RunnerCluster) -> None:
    del cluster.pods["ml-serving", "inference-b"]
    with pytest.raises(NoData, match="it is gone"):
        object_store.refusing("act")
