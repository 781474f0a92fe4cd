"""A bystander suffers: the run stops, heals, and says why. How fast, and the other conditions: ``python -m bench.stops``."""

from __future__ import annotations

from history.result import Verdict
from history.schema import EventKind
from kube.clients import Platform
from runner.exits import INCONCLUSIVE
from runner.leftovers import find_leftovers
from tests.integration.runner.conftest import Suite
from tests.support.bystander import bystander
from tests.support.patient import patient


def test_a_bystander_that_suffers_stops_the_run(suite: Suite, platform: Platform) -> None:
    with bystander() as service:
        target = suite.target(stop_when=[{"bystander": service.url, "above": 0.3, "window_s": 4}])
        patient(suite, "serving/node-drained")
        session = suite.start("--chaos-profile=brief", own=True, target=target).until(EventKind.FAULT_CONFIRMED)
        service.status = 503
        assert session.end() == INCONCLUSIVE, session.said
    assert session.verdict.verdict is Verdict.INCONCLUSIVE
    assert "a bystander suffers" in session.said
    assert session.events(EventKind.STOPPED, "stop condition")
    assert session.events(EventKind.FAULT_END)
    assert not any(node.spec.unschedulable for node in platform.nodes())
    assert not find_leftovers(platform).journals
