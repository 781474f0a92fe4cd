"""What the kill campaign and its kin count, and when they say that a bound was missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from bench.campaigns.kill import page as kill_page
from bench.campaigns.kill.platform import FAMILIES, experiment, experiment_file
from bench.campaigns.kill.trial import in_force
from bench.campaigns.out_of_reach import page as out_of_reach_page
from bench.campaigns.out_of_reach.page import CUT, LOST
from bench.common.tables import Row
from history.schema import EventKind
from runner.experiment.catalogue import fault_of
from runner.experiment.experiment import read_experiment
from testing.runs.campaign_rows import SESSION as CUT_SHORT
from testing.runs.campaign_rows import TRIAL as KILLED

TRIAL: Row = KILLED | {"signal": "SIGTERM"}
SESSION: Row = CUT_SHORT | {"signal": CUT}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_experiment_of_a_family_is_valid_and_proven_as_its_fault_says(name: str, tmp_path: Path) -> None:
    file = experiment_file(tmp_path, name)
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump(experiment(name)))
    read = read_experiment(file, tmp_path / "experiments")
    [spec] = [fault_of(action.provider) for action in read.document.method]
    assert spec
    assert [probe.provider.name for probe in read.settings.evidence] == [spec.evidence[0]]


@pytest.mark.parametrize("change", [{"struck": False}, {"phase": "start"}, {"refused": "lease x: held by another"}])
def test_what_was_not_struck_in_its_run_does_not_count(change: Row) -> None:
    assert kill_page.counts(TRIAL)
    assert not kill_page.counts(TRIAL | change)


@pytest.mark.parametrize(
    "change", [{"alive": ["still cordoned"]}, {"left_after_heal": ["journal"]}, {"acknowledged_s": 5.1}, {"acknowledged_s": None}]
)
def test_a_bound_of_the_kill_campaign_is_missed(change: Row) -> None:
    row = {key: value for key, value in (TRIAL | change).items() if value is not None}
    assert not kill_page.missed([TRIAL])
    assert kill_page.missed([TRIAL, row])


def test_healing_that_is_under_way_needs_no_acknowledgement() -> None:
    row = {key: value for key, value in (TRIAL | {"phase": "heal"}).items() if key != "acknowledged_s"}
    assert not kill_page.missed([row])


def test_the_page_says_how_many_undos_were_acknowledged_in_time() -> None:
    page = kill_page.page([TRIAL, TRIAL | {"acknowledged_s": 6.0}, TRIAL | {"in_force": False, "acknowledged_s": 9.0}])
    assert "| healing begins | 2 | 3.05 | 6.00 | 1 of 2 within 5 s |" in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": "FAIL"}, "false verdict FAIL"),
        ({"verdict": "PASS", "proven": False}, "false verdict PASS"),
        ({"traceback": True}, "a traceback"),
        ({"open": ["node cpu-b"]}, "not undone by the run itself: node cpu-b"),
        ({"alive": ["still silent"]}, "alive after its deadline: still silent"),
        ({"left_after_heal": ["journal"]}, "left after heal: journal"),
    ],
)
def test_a_bound_of_a_session_out_of_reach_is_missed(change: Row, said: str) -> None:
    fine = [SESSION, SESSION | {"verdict": "PASS"}, TRIAL | {"signal": LOST, "traceback": False}]
    assert not out_of_reach_page.missed(fine)
    assert out_of_reach_page.missed([*fine, SESSION | change])
    assert said in out_of_reach_page.page([*fine, SESSION | change])


@pytest.mark.parametrize(("t_ns", "expected"), [(1, False), (2, True), (3, True), (4, False)])
def test_a_fault_is_in_force_from_its_start_to_its_end(t_ns: int, expected: bool) -> None:
    rows: list[dict[str, Any]] = [{"t_ns": 2, "kind": EventKind.FAULT_START.value}, {"t_ns": 4, "kind": EventKind.FAULT_END.value}]
    assert in_force(pl.DataFrame(rows), t_ns) is expected
