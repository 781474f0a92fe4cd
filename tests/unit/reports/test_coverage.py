"""The matrix of failure modes and classes of workload: what was tested, what was not and why, and gaps that are gaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from history.failure_modes import FAILURE_MODES, modes_of
from history.kinds import ASYNC, REQUESTS, TRAINING
from history.result import Verdict
from reports import AtHand, Context, NotTested, build
from reports.coverage import Coverage, State
from reports.page.html import html
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import NODE_DRAINED, REPLICA_KILLED, ZONE_LOST
from testing.pages.html import parse
from tests.unit.reports.conftest import Night

SERVES = {"realtime-inference": REQUESTS}
TRAINS = {"batch-training": TRAINING}


def known(name: str, mode: str, workloads: dict[str, str], *, selected: bool = False, absent: str = "") -> AtHand:
    return AtHand(id=name, title=name.upper(), tags=(mode,), workloads=workloads, selected=selected, absent=absent)


KNOWN = (
    known("serving/replica-killed", "I1", SERVES, selected=True),
    known("serving/engine-frozen", "I2", SERVES),
    known("training/rank-killed", "T1", TRAINS, selected=True),
    known("training/rank-frozen", "T2", TRAINS, selected=True),
    known("training/disk-full", "C3", TRAINS, selected=True),
    known("async/redis-killed", "D2", {"async-inference": ""}, absent="target local has no workload class 'async-inference'"),
    known("mine/unnamed", "smoke", SERVES),
)
NOT_TESTED = (
    NotTested(id="training/rank-killed", kind="refused", reason="role trainer selects nothing"),
    NotTested(id="training/disk-full", kind="skipped", reason="the target has no driver for disks"),
)


@pytest.fixture(scope="module")
def coverage(tmp_path_factory: pytest.TempPathFactory) -> Coverage:
    run = write_run(tmp_path_factory.mktemp("coverage"), REPLICA_KILLED)
    found = build([run], Context(not_tested=NOT_TESTED, at_hand=KNOWN)).coverage
    assert found is not None
    return found


def at(coverage: Coverage, mode: str, workload: str) -> State:
    row = next(row for row in coverage.rows if row.mode == mode)
    return next(place.state for place in row.places if place.workload == workload)


@pytest.mark.parametrize(
    ("mode", "workload", "state"),
    [
        ("I1", "realtime-inference", State.PASSED),
        ("I2", "realtime-inference", State.NOT_SELECTED),
        ("T1", "batch-training", State.REFUSED),
        ("T2", "batch-training", State.NOT_RUN),  # selected, and the session ended before its turn
        ("C3", "batch-training", State.SKIPPED),
        ("D2", "async-inference", State.NOT_AVAILABLE),
        ("I3", "realtime-inference", State.NO_EXPERIMENT),
        ("K1", "batch-training", State.NO_EXPERIMENT),
        ("T1", "realtime-inference", State.NOT_CONCERNED),
        ("I1", "async-inference", State.NOT_AVAILABLE),  # the target has no such class
    ],
)
def test_each_place_says_what_became_of_it(coverage: Coverage, mode: str, workload: str, state: State) -> None:
    assert at(coverage, mode, workload) is state


def test_no_failure_mode_is_hidden_and_all_are_counted(coverage: Coverage) -> None:
    assert [row.mode for row in coverage.rows] == list(FAILURE_MODES)
    assert sum(coverage.counts.values()) == len(FAILURE_MODES)
    assert coverage.counts[State.NO_EXPERIMENT] == len(FAILURE_MODES) - 6
    assert coverage.sentence == (
        f"Of {len(FAILURE_MODES)} failure modes 1 was tested; 1 refused, 1 skipped, since the target has nothing for it, "
        "1 not reached before the session ended, 1 not selected, 1 not available on this target, "
        f"{len(FAILURE_MODES) - 6} without any experiment."
    )
    assert [one.experiment for one in coverage.unplaced] == ["mine/unnamed"]


def test_what_failed_is_failed_and_what_held_is_passed(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, one) for one in (NODE_DRAINED, ZONE_LOST)]
    report = build(runs)
    assert {one.id: one.counts_as for one in report.experiments}["nodes/zone-lost"] is Verdict.FAIL
    assert report.coverage is not None
    assert (at(report.coverage, "K2", "realtime-inference"), at(report.coverage, "K3", "realtime-inference")) == (
        State.FAILED,
        State.PASSED,
    )


def test_of_one_place_the_worst_verdict_is_its_state(tmp_path: Path) -> None:
    report = build([write_run(tmp_path, one) for one in (ZONE_LOST, replace(NODE_DRAINED, tags=("K2",)))])
    assert report.coverage is not None
    row = next(row for row in report.coverage.rows if row.mode == "K2")
    assert [one.state for one in row.places[0].experiments] == [State.FAILED, State.PASSED]
    assert (row.places[0].state, row.state) == (State.FAILED, State.FAILED)


def test_runs_alone_do_not_say_what_else_there_was(night: Night) -> None:
    found = night.report.coverage
    assert found is not None
    assert State.NO_EXPERIMENT not in found.counts
    assert found.counts[State.NOT_KNOWN]
    assert "Nothing is known of the others" in found.sentence


def test_the_page_shows_every_mode_its_state_and_the_reasons(night: Night, coverage: Coverage) -> None:
    page = parse(html(night.report.model_copy(update={"coverage": coverage})))
    table = next(node for node in page.all("table") if node.attrs.get("class") == "coverage")
    rows = table.first("tbody").all("tr")
    assert [row.first("small").text for row in rows] == list(FAILURE_MODES)
    shown = {row.first("small").text: " ".join(cell.text for cell in row.all("td")) for row in rows}
    assert "1 passed" in shown["I1"]
    assert "1 refused" in shown["T1"]
    assert "no experiment" in shown["I3"]
    text = " ".join(page.text.split())
    for reason in ("role trainer selects nothing", "the target has no driver for disks", "has no workload class 'async-inference'"):
        assert reason in text


def test_modes_are_found_by_their_ids_alone() -> None:
    assert [mode.id for mode in modes_of(("smoke", "D2", "K1", "I99"))] == ["K1", "D2"]
    assert {kind for mode in FAILURE_MODES.values() for kind in mode.kinds} == {REQUESTS, ASYNC, TRAINING}
