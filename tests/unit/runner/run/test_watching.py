"""Watching the platform: changes become events of the history, lost connections are noticed, nothing ends the run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from runner.event_log import RunLog
from runner.run.context import Observations
from runner.run.observer import watch as watch_module
from runner.run.observer.cluster_watch import EndpointWatcher, KubeEventWatcher, NodeWatcher
from runner.run.observer.observer import Links
from runner.run.observer.pod_watch import PodWatcher
from runner.run.observer.watch import Subject, Watch
from testing.platform.fake_cluster import NOW, node, pod
from testing.runs.phases import seen


def kinds(tmp_path: Path) -> list[tuple[str, str]]:
    return [(kind, name) for kind, name, _ in seen(tmp_path)]


# pods


def running(name: str, *, restarts: int = 0, **fields: Any) -> Any:
    made = pod(name, **fields)
    made.status.container_statuses[0].state = client.V1ContainerState(running=client.V1ContainerStateRunning())
    made.status.container_statuses[0].restart_count = restarts
    return made


def test_the_life_of_a_pod(tmp_path: Path, log: RunLog) -> None:
    observations = Observations()
    watcher = PodWatcher("inference", log, observations)
    watcher.listed([running("a"), running("b")])
    assert kinds(tmp_path) == [("pod.ready", "a"), ("pod.ready", "b")]
    assert all(detail["before"] for _, _, detail in seen(tmp_path))
    assert observations.ready == {"inference": 2}

    watcher.deleted(running("a"))
    watcher.changed(pod("c", node=None, ready=False))
    watcher.changed(pod("c", node="gpu-c", ready=False))
    watcher.changed(running("c", node="gpu-c", ready=False))
    watcher.changed(running("c", node="gpu-c"))
    watcher.changed(running("b", restarts=1, ready=False))
    assert kinds(tmp_path)[2:] == [
        ("pod.unready", "a"), ("pod.gone", "a"), ("pod.created", "c"), ("pod.scheduled", "c"), ("pod.started", "c"), ("pod.ready", "c"),
        ("pod.started", "b"), ("pod.unready", "b"),
    ]  # fmt: skip
    assert observations.ready == {"inference": 1}
    assert {detail["role"] for _, _, detail in seen(tmp_path)} == {"inference"}


def test_what_happened_while_the_connection_was_lost_is_told_by_the_next_list(tmp_path: Path, log: RunLog) -> None:
    watcher = PodWatcher("inference", log, Observations())
    watcher.listed([running("a"), running("b")])
    watcher.listed([running("b", ready=False), running("c")])
    assert kinds(tmp_path)[2:] == [
        ("pod.unready", "a"), ("pod.gone", "a"), ("pod.unready", "b"), ("pod.created", "c"), ("pod.scheduled", "c"), ("pod.started", "c"),
        ("pod.ready", "c"),
    ]  # fmt: skip


# nodes, endpoints, Events


def test_nodes(tmp_path: Path, log: RunLog) -> None:
    watcher = NodeWatcher(log, "nvidia.com/gpu")
    watcher.listed([node("gpu-a", "zone-a", gpus=2)])
    assert not seen(tmp_path)
    watcher.changed(node("gpu-a", "zone-a", gpus=2, ready=False))
    cordoned = node("gpu-a", "zone-a", gpus=2, ready=False)
    cordoned.spec.unschedulable = True
    watcher.changed(cordoned)
    sick = node("gpu-a", "zone-a", gpus=2)
    sick.status.allocatable = {"nvidia.com/gpu": "1"}
    watcher.changed(sick)
    changes = ["node.unready", "node.cordoned", "node.ready", "node.uncordoned", "gpu.allocatable"]
    assert kinds(tmp_path) == [(kind, "gpu-a") for kind in changes]
    assert seen(tmp_path)[-1][2] == {"allocatable": 1, "capacity": 2}


def endpoint(name: str, is_ready: bool | None) -> Any:
    return SimpleNamespace(target_ref=SimpleNamespace(name=name), conditions=SimpleNamespace(ready=is_ready))


def endpoint_slice(name: str, **pods: bool | None) -> Any:
    return SimpleNamespace(metadata=SimpleNamespace(name=name), endpoints=[endpoint(*one) for one in pods.items()])


def test_endpoints(tmp_path: Path, log: RunLog) -> None:
    watcher = EndpointWatcher("inference", log)
    watcher.listed([endpoint_slice("s1", a=True, b=None)])
    watcher.changed(endpoint_slice("s1", a=False, b=True))
    watcher.changed(endpoint_slice("s2", c=True))
    watcher.deleted(endpoint_slice("s1"))
    assert kinds(tmp_path) == [("endpoint.out", "a"), ("endpoint.in", "c"), ("endpoint.out", "b")]


def event(uid: str, *, count: int = 1, age_s: float = 0.0, message: str = "it was evicted") -> Any:
    return SimpleNamespace(
        metadata=SimpleNamespace(uid=uid, creation_timestamp=NOW),
        last_timestamp=NOW - timedelta(seconds=age_s),
        event_time=None,
        count=count,
        involved_object=SimpleNamespace(name="inference-a", kind="Pod"),
        reason="Evicted",
        message=message,
        type="Normal",
    )


def test_events_of_the_run_are_kept_once(tmp_path: Path, log: RunLog) -> None:
    watcher = KubeEventWatcher(log, since=NOW - timedelta(seconds=5))
    watcher.listed([event("old", age_s=60), event("new")])
    watcher.changed(event("new"))
    watcher.changed(event("new", count=2, message="x" * 2000))
    found = seen(tmp_path)
    assert [name for _, name, _ in found] == ["inference-a", "inference-a"]
    assert len(found[1][2]["message"]) == 500


# the watch itself


class Api:
    """A list function of the client; each call does what the script says next."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)

    def __call__(self, *_: Any, **__: Any) -> Any:
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, BaseException):
            raise step
        return SimpleNamespace(items=step, metadata=SimpleNamespace(resource_version="1"))


class Ear:
    def __init__(self, enough: int, halt: threading.Event) -> None:
        self.lists: list[list[Any]] = []
        self.changes: list[Any] = []
        self._enough, self._halt = enough, halt

    def listed(self, items: list[Any]) -> None:
        self.lists.append(items)
        if len(self.lists) >= self._enough:
            self._halt.set()

    def changed(self, item: Any) -> None:
        self.changes.append(item)

    def deleted(self, item: Any) -> None:
        self.changes.append(item)


def follow(monkeypatch: pytest.MonkeyPatch, api: Api, streams: list[Any], enough: int) -> tuple[Ear, list[tuple[str, bool]]]:
    class Stream:
        def stream(self, *_: Any, **__: Any) -> Iterator[Any]:
            step = streams.pop(0) if streams else []
            if isinstance(step, BaseException):
                raise step
            yield from step

        def stop(self) -> None:
            pass

    monkeypatch.setattr("runner.run.observer.watch.watch.Watch", Stream)
    monkeypatch.setattr(watch_module, "RETRY_S", 0.01)
    halt, links = threading.Event(), list[tuple[str, bool]]()
    ear = Ear(enough, halt)
    watch = Watch(Subject("pods", api), ear, halt, lambda name, up: links.append((name, up)))
    watch.start()
    watch.join(10)
    assert not watch.is_alive()
    return ear, links


def test_a_watch_lists_again_after_the_connection_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api([1], urllib3.exceptions.ProtocolError("reset"), ApiException(status=503), [2])
    thing = SimpleNamespace(metadata=SimpleNamespace(resource_version="2"))
    streams = [[{"type": "ADDED", "object": thing}], urllib3.exceptions.ReadTimeoutError(None, "", "silent")]  # type: ignore[arg-type]
    ear, links = follow(monkeypatch, api, streams, enough=2)
    assert ear.lists == [[1], [2]]
    assert ear.changes == [thing]
    assert links == [("pods", True), ("pods", False), ("pods", False), ("pods", False), ("pods", True)]


def test_a_version_that_is_too_old_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    ear, links = follow(monkeypatch, Api([1], [2]), [ApiException(status=410)], enough=2)
    assert ear.lists == [[1], [2]]
    assert links == [("pods", True), ("pods", True)]


def test_the_api_server_is_down_while_any_watch_is(tmp_path: Path, log: RunLog) -> None:
    links = Links(log)
    for name, up in [("pods", True), ("pods", False), ("nodes", False), ("pods", True), ("nodes", True)]:
        links.note(name, up)
    assert kinds(tmp_path) == [("instrument.down", "api-server"), ("instrument.up", "api-server")]
    assert links.up


def test_a_log_that_is_closed_takes_nothing_more(tmp_path: Path, log: RunLog) -> None:
    log.close()
    watcher = PodWatcher("inference", log, Observations())
    watcher.listed([running("a")])
    assert not seen(tmp_path)
