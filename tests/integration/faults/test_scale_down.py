"""A model server that is scaled down on the embedded cluster: one replica leaves, and the former number is set again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faults.rollouts
from kube.client import Platform
from kube.controllers.wanted import wanted
from probes import pods
from testing.waiting import wait_for
from tests.integration.faults.test_faults import seen

Running = Callable[..., Any]
LEAVES_S = 60.0  # a hook of 3 s, and what it has in hand


def test_one_replica_leaves_and_the_former_number_is_set_again(running: Running, platform: Platform) -> None:
    role = platform.target.role("inference")
    before = wanted(platform, role)
    with running(faults.rollouts.scale_down, role="inference"):
        assert not pods.some_gone("act")
        faults.rollouts.scale_down("inference")
        assert wanted(platform, role) == (before or 0) - 1
        wait_for(lambda: seen(pods.some_gone), "one of its pods is gone", LEAVES_S)
        faults.rollouts.restore()
        assert wanted(platform, role) == before
