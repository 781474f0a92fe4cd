"""Which pods the diagnostics of a run describe."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from runner.run.phases.diagnostics import of_interest
from testing.platform.fake_cluster import NOW, pod


def test_the_scene_is_of_pods_that_were_hit_or_do_not_work() -> None:
    def kept(one: Any, names: set[str | None]) -> bool:
        one.metadata.creation_timestamp = one.metadata.creation_timestamp or NOW - timedelta(hours=1)
        return of_interest(one, names, since=NOW)

    assert not kept(pod("a"), {"b"})
    assert kept(pod("a"), {"a"})
    assert kept(pod("a", node="gpu-a"), {"gpu-a"})
    assert kept(pod("a", ready=False), set())
    made = pod("a")
    made.metadata.creation_timestamp = NOW + timedelta(seconds=1)
    assert kept(made, set())
    restarted = pod("a")
    restarted.status.container_statuses[0].restart_count = 1
    assert kept(restarted, set())
