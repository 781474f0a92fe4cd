"""The control plane of the embedded cluster: a part of it is down, serving goes on, it is back by itself; a driver is not believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

import faults.control_plane
from history.schema import EventKind
from kube.client import Platform
from kube.reachable import answers
from probes import control_plane
from probes.events import first_ns
from safety.undo import bring_back
from safety.undo_journal import UndoKind
from target.allow import Allow
from target.region import ControlPlaneDriver
from target.target import Target
from testing.platform.targets import in_region
from testing.waiting import wait_for
from tests.integration.faults.test_faults import Evidence, confirmed, denied, unseen

Running = Callable[..., Any]
IDLE = ControlPlaneDriver(fail=("true",), repair=("true",))
BACK_S = 90.0  # for the end of the fault, a start, and 30 to 40 s until somebody leads


def test_an_api_server_that_is_down_is_back_by_itself_and_users_are_served_meanwhile(running: Running, platform: Platform) -> None:
    with running(faults.control_plane.stop_api_server, for_s=25) as run:
        denied(control_plane.api_silent)
        assert faults.control_plane.stop_api_server(25)["targets"] == ["api-server"]
        confirmed(control_plane.api_silent)
        assert not answers(platform)
        assert requests.get(platform.region.endpoints["inference"] + "/gateway-health", timeout=5).ok
        wait_for(lambda: unseen(control_plane.api_silent), "the API server answers again with nobody's help", BACK_S)
        wait_for(lambda: answers(platform), "it can be asked", BACK_S)
        assert [entry.kind for entry in run.journal.entries()] == [UndoKind.START_CONTROL_PLANE]


def test_controllers_that_are_down_lose_their_lead_and_take_it_again_by_themselves(running: Running) -> None:
    with running(faults.control_plane.stop_controllers, for_s=20):
        denied(control_plane.controllers_silent)
        faults.control_plane.stop_controllers(20)
        confirmed(control_plane.controllers_silent)
        wait_for(lambda: unseen(control_plane.controllers_silent), "they lead again with nobody's help", BACK_S)


def test_an_api_server_that_is_down_is_started_again_although_the_journal_lies_behind_it(running: Running, platform: Platform) -> None:
    with running(faults.control_plane.stop_api_server, for_s=300) as run:
        faults.control_plane.stop_api_server(300)
        confirmed(control_plane.api_silent)
        bring_back(run)
        wait_for(lambda: answers(platform), "it answers long before its time is over", BACK_S)


@pytest.mark.parametrize(
    ("function", "evidence", "longer_s"),  # than any real effect takes to be seen
    [
        (faults.control_plane.stop_api_server, control_plane.api_silent, 18),
        (faults.control_plane.stop_controllers, control_plane.controllers_silent, 35),
    ],
)
def test_a_driver_that_does_nothing_is_noticed(
    running: Running, target: Target, function: Callable[..., Any], evidence: Evidence, longer_s: int
) -> None:
    with running(function, in_region(target, control_plane=IDLE), allow=Allow(cluster_wide=True), for_s=30) as run:
        assert function(30)["targets"]
        until_ns = first_ns(EventKind.FAULT_START, "act") + longer_s * 1_000_000_000
        wait_for(lambda: evidence("act") or run.log.event(EventKind.NOTE) > until_ns, f"{longer_s} s are over", 90)
        denied(evidence)
