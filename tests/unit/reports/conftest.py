"""One night of sample runs, rendered once: nine experiments, three trials of one, and everything that can be wrong with a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reports import Context, NotTested, Report, render
from reports.page.html import sections_of
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_KILLED, NINE
from testing.pages.html import Node, parse

NOT_TESTED = (
    NotTested(id="storage/disk-full", title="A disk fills up", kind="skipped", reason="The target has no driver for disks."),
    NotTested(id="training/rank-killed", kind="refused", reason="Role trainer selects nothing in namespace ml-training."),
)


@dataclass(frozen=True, slots=True)
class Night:
    """A rendered report and the folder it lies in: ``page`` is the one file, ``index`` and ``pages`` (by experiment) lie beside it."""

    out: Path
    report: Report
    raw: dict[str, Any]
    page: Node
    index: Node
    pages: tuple[Node, ...]

    def read(self, name: str) -> str:
        return (self.out / name).read_text()


@pytest.fixture(scope="session")
def run_dirs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    trials = {ENGINE_KILLED.id: 3}
    return [write_run(root, s, i + 1, trials.get(s.id, 1)) for s in NINE for i in range(trials.get(s.id, 1))]


@pytest.fixture(scope="session")
def night(run_dirs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Night:
    broken = tmp_path_factory.mktemp("broken-run")
    context = Context(title="Nightly", command="pytest -m chaos --chaos-seed 7", not_tested=NOT_TESTED)
    out = render([*run_dirs, broken], tmp_path_factory.mktemp("out") / "latest", context).parent
    text = (out / "report.json").read_text()
    report = Report.model_validate_json(text)
    one, index = (parse((out / name).read_text()) for name in ("report.html", "index.html"))
    pages = tuple(parse((out / str(section.file)).read_text()) for section in sections_of(report))
    return Night(out, report, json.loads(text), one, index, pages)
