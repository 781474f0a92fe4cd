"""Sessions of ``pytest -m chaos`` that tell others how they ended."""

from __future__ import annotations

import pytest

from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_KILLED
from testing.pages.receivers import Says, receiving
from testing.runs.sessions import Project

TOLD = """
import pathlib, reports
runner.plugin.plugin.write_report = lambda chaos: setattr(chaos, "built", reports.build([pathlib.Path({run!r})])) or True
"""


def test_a_webhook_that_fails_is_said_at_the_end_and_changes_no_exit_code(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path_factory.mktemp("runs"), ENGINE_KILLED)
    with (project.root / "conftest.py").open("a") as conftest:
        conftest.write(TOLD.format(run=str(run)))
    with receiving(lambda _: Says(500)) as broken:
        monkeypatch.setenv("AFTERSHOCK_WEBHOOK", f"{broken.url}/hooks/a-secret-one")
        done = project.chaos()
    assert done.code == 0
    assert f"not told: the webhook at {broken.url.removeprefix('http://')} answers HTTP 500" in done.text
    assert "a-secret-one" not in done.text
    assert [asked.body["verdict"] for asked in broken.seen] == ["PASS"]


def test_where_there_is_no_report_nobody_is_told_and_that_is_said(project: Project) -> None:
    assert "nobody was told how the session ended: there is no report" in project.chaos("--chaos-github").text
    assert "told" not in project.chaos().text
