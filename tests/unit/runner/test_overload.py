"""An experiment that offers more load: run on the embedded cluster, skipped on any other unless it has leave of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.experiment.absence import why_skipped
from runner.experiment.experiment import Experiment, read_experiment
from target.target import Target, load_target
from testing.platform.fake_cluster import ROOT, local_target

SHIPPED = ROOT / "experiments"
OVERLOAD = SHIPPED / "serving" / "overload.yaml"
SKIPPED = "surge gives region default much more than its load, and whoever shares it suffers, too; to test this here, copy the experiment"


def shipped() -> Experiment:
    return read_experiment(OVERLOAD, SHIPPED)


def with_leave(folder: Path) -> Experiment:
    """Return the shipped experiment as somebody copied it who may overload his cluster."""
    file = folder / "own" / "copied.yaml"
    file.parent.mkdir()
    file.write_text(OVERLOAD.read_text().replace("    evidence:", "    allow: {overload: true}\n    evidence:"))
    return read_experiment(file, folder)


def strangers() -> Target:
    return local_target(context="staging-eu", control_plane=None)


def test_the_shipped_one_carries_no_leave_for_strangers() -> None:
    assert not shipped().settings.allow.overload


@pytest.mark.parametrize("name", ["local", "vllm"])
def test_the_embedded_cluster_needs_no_leave(name: str) -> None:
    assert "overload: true" not in why_skipped(shipped(), load_target(ROOT / "targets" / f"{name}.yaml"))


def test_a_strangers_cluster_needs_leave(tmp_path: Path) -> None:
    assert why_skipped(shipped(), strangers()).startswith(SKIPPED)
    assert "allow: {overload: true} in it" in why_skipped(shipped(), strangers())
    assert why_skipped(with_leave(tmp_path), strangers()) == ""


def test_the_example_of_a_staging_cluster_skips_it() -> None:
    target = load_target(ROOT / "targets" / "staging.example.yaml")
    said = why_skipped(shipped(), target)
    assert "allow: {overload: true} in it" in said
