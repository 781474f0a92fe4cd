"""A surge of users on the embedded cluster: it is sent, the engines have it in hand, and nothing of it is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faults.load
from probes import load, queue
from testing.waiting import wait_for

Running = Callable[..., Any]
SURGE: dict[str, Any] = {"role": "inference", "times": 6, "max_tokens": 64}
MANY = 24  # in hand of all engines: their batches are full


def offered() -> bool:
    return load.offered("act")


def busy() -> bool:
    return queue.busy("act", "inference", MANY)


def test_it_is_sent_keeps_the_engines_busy_and_ends_by_itself(running: Running) -> None:
    with running(faults.load.surge, for_s=15, **SURGE):
        assert not offered()
        assert not busy()
        faults.load.surge(for_s=15, **SURGE)
        wait_for(offered, "nine of ten of its requests were sent")
        wait_for(busy, "the engines' batches are full")
        wait_for(lambda: not busy(), "the engines have worked off what is left")
        said = faults.load.restore()["undone"]
        assert said == ["load generator of act: it does not run: it ended with its time, or with the suite"]


def test_healing_ends_it_before_its_time(running: Running) -> None:
    with running(faults.load.surge, for_s=300, **SURGE):
        faults.load.surge(for_s=300, **SURGE)
        wait_for(busy, "the engines' batches are full")
        assert faults.load.restore() == {"undone": ["load generator of act: ended"]}
        wait_for(lambda: not busy(), "the engines have worked off what is left")


def test_one_that_does_nothing_is_noticed(running: Running) -> None:
    with running(faults.load.surge, for_s=5, **SURGE) as run:
        run.fault_starts(run.targets_of())
        assert not offered()
        assert not busy()
