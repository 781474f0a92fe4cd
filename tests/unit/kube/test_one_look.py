"""Within one look a list of pods is asked for once; the platform itself forgets nothing and remembers nothing."""

from __future__ import annotations

from typing import Any

from kube.lists.one_look import one_look
from testing.platform.fake_cluster import FakeCluster


class Noted(FakeCluster):
    asked: list[str] = []  # noqa: RUF012 - each test has a cluster of its own

    def list_namespaced_pod(self, namespace: str, label_selector: str = "", **more: Any) -> Any:
        self.asked = [*self.asked, f"{namespace} {label_selector}"]
        return super().list_namespaced_pod(namespace, label_selector, **more)


def test_a_role_is_listed_once_in_one_look_and_again_in_the_next() -> None:
    cluster = Noted()
    platform = cluster.platform()
    once = one_look(platform)
    first = once.pods("inference")
    del cluster.pods["ml-serving", "inference-a"]
    assert once.pods_of_roles()["inference"] == first
    assert cluster.asked.count("ml-serving app=inference") == 1
    assert len(platform.pods("inference")) == len(one_look(platform).pods("inference")) == 2


def test_who_takes_a_pod_out_of_a_list_takes_it_out_of_no_other() -> None:
    once = one_look(FakeCluster().platform())
    once.pods_in("ml-serving").clear()
    assert once.pods_in("ml-serving")
    assert once.ways is once.ways
