"""Known FAILs in a report: shown as FAIL, not counted against the night."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from reports import Context, KnownFail, build
from reports.page.html import html
from reports.page.junit import junit
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_KILLED, NINE
from testing.pages.html import parse

ZONE_LOST = next(one for one in NINE if one.id == "nodes/zone-lost")  # the one that fails


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    return [write_run(root, ENGINE_KILLED), write_run(root, ZONE_LOST)]


def known(runs: list[Path], *, waived: bool) -> Context:
    run_id = build(runs[1:]).experiments[0].trials[0].run_id
    return Context(known_fails=(KnownFail(run_id=run_id, experiment=ZONE_LOST.id, waived=waived, says=("rto: known, INF-7",)),))


def test_a_waived_fail_is_shown_and_does_not_fail_the_night(runs: list[Path]) -> None:
    report = build(runs, known(runs, waived=True))
    assert report.verdict == "PASS"
    assert report.sentence.startswith("The experiment held")
    assert report.sentence.endswith("1 known failure is waived: nodes/zone-lost.")
    assert report.experiments[0].counts_as == "FAIL"
    text = parse(html(report)).text
    assert "waived; rto: known, INF-7" in text
    suite = ET.fromstring(junit(report)).find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == ("0", "1")


def test_a_waiver_that_does_not_hold_changes_nothing_but_is_said(runs: list[Path]) -> None:
    report = build(runs, known(runs, waived=False))
    assert report.verdict == "FAIL"
    assert "waived" not in report.sentence
    assert "not waived; rto: known, INF-7" in parse(html(report)).text


def test_a_night_of_nothing_but_known_fails_says_so(runs: list[Path]) -> None:
    report = build(runs[1:], known(runs, waived=True))
    assert report.verdict == "PASS"
    assert report.sentence.startswith("No experiment held or failed but those whose failure is known.")
