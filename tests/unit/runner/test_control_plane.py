"""Faults on the control plane around a run: where they are skipped, what the plan says of them, and that the run's leases outlast them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from history.errors import ConfigError
from history.plan import Phase, ResolvedTarget
from kube.control_plane import KIND
from kube.machine_drivers import TIMEOUT_S
from runner.experiment.absence import why_skipped
from runner.experiment.catalogue import taken_away
from runner.experiment.experiment import Experiment, read_experiment
from runner.preflight.lease_queue import Queue
from runner.run import assemble
from runner.run.abort.interference import interference
from target.target import load_target
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target
from testing.platform.fake_run import live_run

SHIPPED = ROOT / "experiments"
DOWN = ("serving/api-server-down", "serving/controllers-down")
THEIRS = {"driver": "command", "fail": ["./ops", "stop", "{part}", "{seconds}"], "repair": ["./ops", "start", "{part}"]}


def read(name: str) -> Experiment:
    return read_experiment(SHIPPED / f"{name}.yaml", SHIPPED)


def with_leave(name: str, folder: Path) -> Experiment:
    """Return a shipped experiment as somebody copied it who may stop what everybody depends on."""
    text = (SHIPPED / f"{name}.yaml").read_text()
    file = folder / "own" / "copied.yaml"
    file.parent.mkdir()
    file.write_text(text.replace("    evidence:", "    allow: {cluster_wide: true}\n    evidence:"))
    return read_experiment(file, folder)


@pytest.mark.parametrize("name", DOWN)
def test_the_embedded_cluster_needs_no_leave(name: str) -> None:
    assert why_skipped(read(name), local_target()) == ""


@pytest.mark.parametrize("name", DOWN)
def test_without_a_driver_it_is_skipped_by_name(name: str, tmp_path: Path) -> None:
    for experiment in (read(name), with_leave(name, tmp_path)):
        said = why_skipped(experiment, local_target(control_plane=None))
        assert said.endswith("and target local says by no command how; to test this here, add control_plane to the region")
    assert "control_plane" in why_skipped(read(name), load_target(ROOT / "targets" / "staging.example.yaml"))


@pytest.mark.parametrize("name", DOWN)
def test_a_strangers_cluster_needs_leave_as_well(name: str, tmp_path: Path) -> None:
    target = local_target(control_plane=THEIRS)
    assert "say allow: {cluster_wide: true} in it" in why_skipped(read(name), target)
    assert why_skipped(with_leave(name, tmp_path), target) == ""
    assert why_skipped(read("serving/replica-killed"), target) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"control_plane": {"driver": "embedded"}, "context": "staging-eu"}, "driver embedded is for contexts aftershock-NAME"),
        ({"control_plane": {"driver": "embedded", "fail": ["x"]}}, "driver embedded has its own commands"),
        ({"control_plane": {"driver": "command", "fail": ["x"]}}, "fail and repair are required"),
        ({"control_plane": {"driver": "ssh"}}, "command"),
    ],
)
def test_a_driver_that_cannot_be_meant_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=said):
        local_target(**changes)


def test_the_embedded_driver_asks_the_cluster_of_its_context() -> None:
    region = local_target(control_plane={"driver": "embedded"}, context="aftershock-other").only_region()
    assert region.control_plane_driver is not None
    assert region.control_plane_driver.fail[:5] == ("{python}", "-m", "cluster", "--name", "other")


def test_the_plan_says_which_instrument_the_fault_takes_away() -> None:
    assert [taken_away(read(name).document.method) for name in (*DOWN, "serving/zone-lost")] == [("api-server",), (), ()]


class Leases:
    """Leases that note for how long they were told to outlast."""

    def __init__(self) -> None:
        self.told: list[float] = []

    def expect_absence(self, for_s: float) -> None:
        self.told.append(for_s)


def told_ahead(name: str) -> list[float]:
    """Return what the leases are told right before each action of an experiment whose longest fault lasts for 60 s."""
    queue, held = cast("Queue", Queue.__new__(Queue)), Leases()
    queue._held = [cast("Any", held)]
    checked = SimpleNamespace(plan=SimpleNamespace(timers=SimpleNamespace(fault_s=60.0)), leases=queue)
    for action in read(name).document.method:
        assemble._just_ahead(cast("Any", checked), action)
    return held.told


def test_right_before_a_fault_that_takes_the_api_server_away_the_leases_are_told() -> None:
    assert told_ahead("serving/api-server-down") == [60 + assemble.ABSENCE_SLACK_S]
    assert told_ahead("serving/controllers-down") == told_ahead("serving/replica-killed") == []
    assert assemble.ABSENCE_SLACK_S > TIMEOUT_S, "a driver may take so long until the fault acts"


def test_a_control_plane_is_no_node_that_somebody_removed(tmp_path: Path) -> None:
    hit = [ResolvedTarget(kind=KIND, name="api-server", effect="down", ends="by itself")]
    run = live_run(FakeCluster(), tmp_path, {"act": hit})
    assert interference(run, lambda: Phase.OBSERVE)() is None
