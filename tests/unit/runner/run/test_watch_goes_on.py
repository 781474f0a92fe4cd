"""A watch goes on where it was: after a loss, past bookmarks, with other selectors; and which nodes are worth watching."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

from kube.lists.nodes import HOSTNAME
from runner.event_log import RunLog
from runner.run.context import Observations
from runner.run.observer import watch as watch_module
from runner.run.observer.cluster_watch import NodeWatcher
from runner.run.observer.pod_watch import PodWatcher
from runner.run.observer.watch import Subject, Watch
from runner.run.observer.watched_nodes import WatchedNodes
from testing.platform.fake_cluster import FakeCluster, node, pod
from testing.runs.phases import seen

TIMED_OUT = urllib3.exceptions.ReadTimeoutError(None, "", "silent")  # type: ignore[arg-type]


class Api:
    """A list function: notes how it was asked; each list is of a later version."""

    def __init__(self, *lists: list[Any]) -> None:
        self.lists, self.asked = list(lists), list[dict[str, Any]]()

    def __call__(self, **options: Any) -> Any:
        self.asked.append(options)
        items = self.lists.pop(0) if self.lists else []
        meta = SimpleNamespace(resource_version=str(len(self.asked)), var_continue=None)
        return SimpleNamespace(items=items[: options["limit"]], metadata=meta)


class Heard:
    def __init__(self) -> None:
        self.lists, self.changes = list[list[Any]](), list[Any]()

    def listed(self, items: list[Any]) -> None:
        self.lists.append(items)

    def changed(self, item: Any) -> None:
        self.changes.append(item)

    deleted = changed


def followed(monkeypatch: pytest.MonkeyPatch, subject: Subject, *streams: Any) -> tuple[Heard, list[dict[str, Any]], list[bool]]:
    """Follow ``subject`` for as many streams; return what was heard, how each stream was asked for, and the states of the link."""
    script, asked, links = list(streams), list[dict[str, Any]](), list[bool]()
    halt, heard = threading.Event(), Heard()

    class Stream:
        def stream(self, *_: Any, **options: Any) -> Iterator[Any]:
            asked.append(options)
            step = script.pop(0)
            if not script:
                halt.set()
            if isinstance(step, BaseException):
                raise step
            yield from step

        def stop(self) -> None: ...

    monkeypatch.setattr("runner.run.observer.watch.watch.Watch", Stream)
    monkeypatch.setattr(watch_module, "RETRY_S", 0.01)
    watch = Watch(subject, heard, halt, lambda _name, up: links.append(up))
    watch.start()
    watch.join(10)
    assert not watch.is_alive()
    return heard, asked, links


def added(version: str) -> dict[str, Any]:
    return {"type": "ADDED", "object": SimpleNamespace(metadata=SimpleNamespace(resource_version=version))}


def bookmark(version: str) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}


def test_after_a_loss_it_goes_on_from_what_it_heard_last_and_lists_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api([1, 2])
    heard, asked, links = followed(monkeypatch, Subject("pods", api), [added("41")], TIMED_OUT, [], [])
    assert heard.lists == [[1, 2]]
    assert [one["resource_version"] for one in asked] == ["1", "41", "41", "41"]
    assert links == [True, False, True]
    assert [one["limit"] for one in api.asked] == [50, 1]  # the second asks whether the server is back


def test_a_bookmark_moves_on_without_being_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, asked, _ = followed(monkeypatch, Subject("pods", Api([])), [bookmark("90")], [])
    assert heard.changes == []
    assert [one["resource_version"] for one in asked] == ["1", "90"]
    assert all(one["allow_watch_bookmarks"] for one in asked)


def test_what_is_there_at_the_begin_is_not_listed_where_only_news_count(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api([1, 2, 3])
    heard, asked, links = followed(monkeypatch, Subject("events", api, new_only=True), [])
    assert (heard.lists, links) == ([], [True])
    assert [one["limit"] for one in api.asked] == [1]
    assert asked[0]["resource_version"] == "1"


def test_other_selectors_begin_with_a_list_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[dict[str, str] | None] = [None, {"label_selector": "a"}, {"label_selector": "a"}, {"label_selector": "b"}]
    selectors: Callable[[], dict[str, str] | None] = lambda: chosen.pop(0)  # noqa: E731
    api = Api([1], [2])
    heard, asked, _ = followed(monkeypatch, Subject("nodes", api, selectors=selectors), [], [], [])
    assert heard.lists == [[1], [2]]
    assert [one["label_selector"] for one in api.asked] == ["a", "b"]
    assert [one["label_selector"] for one in asked] == ["a", "a", "b"]


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    for name, one in made.nodes.items():
        one.metadata.labels[HOSTNAME] = f"host-of-{name}"
    return made


def watcher(tmp_path: Path, *pods: Any) -> dict[str, PodWatcher]:
    made = PodWatcher("inference", RunLog(tmp_path), Observations())
    made.listed(list(pods))
    return {"inference": made}


def test_the_hosts_of_the_platform_and_what_is_hit_are_worth_watching(tmp_path: Path, cluster: FakeCluster) -> None:
    pods = watcher(tmp_path, pod("a", "gpu-a"))
    watched = WatchedNodes(cluster.platform(), ["cpu-c"], pods)
    assert watched.selectors() == {"label_selector": f"{HOSTNAME} in (host-of-cpu-c,host-of-gpu-a)"}
    pods["inference"].changed(pod("b", "gpu-b"))
    assert watched.selectors() == {"label_selector": f"{HOSTNAME} in (host-of-cpu-c,host-of-gpu-a,host-of-gpu-b)"}
    assert [name for name in cluster.nodes if watched.concerns(name)] == ["gpu-a", "gpu-b", "cpu-c"]


def test_nothing_is_worth_watching_before_there_is_a_pod(tmp_path: Path, cluster: FakeCluster) -> None:
    assert WatchedNodes(cluster.platform(), [], watcher(tmp_path)).selectors() is None


def test_many_nodes_are_watched_by_their_zones(tmp_path: Path, cluster: FakeCluster) -> None:
    many = [f"w-{number}" for number in range(60)]
    cluster.nodes |= {name: node(name, "zone-b", labels={HOSTNAME: name}) for name in many}
    assert WatchedNodes(cluster.platform(), many, {}).selectors() == {"label_selector": "topology.kubernetes.io/zone in (zone-b)"}


def test_all_are_watched_where_a_label_is_missing(tmp_path: Path, cluster: FakeCluster) -> None:
    del cluster.nodes["gpu-a"].metadata.labels[HOSTNAME]
    assert WatchedNodes(cluster.platform(), ["gpu-a"], {}).selectors() == {}


def test_other_nodes_make_no_events(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    nodes = NodeWatcher(log, "nvidia.com/gpu", concerns=lambda name: name == "gpu-a")
    nodes.listed([node("gpu-a", "zone-a"), node("gpu-b", "zone-b")])
    for name in ("gpu-b", "gpu-a"):
        nodes.changed(node(name, "zone-a", ready=False))
    assert [name for _, name, _ in seen(tmp_path)] == ["gpu-a"]
