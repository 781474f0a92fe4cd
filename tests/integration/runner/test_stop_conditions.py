"""A bystander suffers: the run stops, heals, and says why. How fast, and the other conditions: ``python -m bench.campaigns.stops``."""

from __future__ import annotations

from history.result import Verdict
from history.schema import EventKind
from kube.client import Platform
from runner.cleanup.leftovers import find_leftovers
from runner.exits import INCONCLUSIVE
from testing.platform.bystander import bystander
from testing.runs.patient import patient
from testing.runs.real_sessions import Suite


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
