"""A night of four experiments: one held, one failed, a sham control is inconclusive, a null control has no fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports import Context, NotTested, Report, build
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import NINE

NAMES = ("serving/engine-killed", "nodes/zone-lost", "controls/sham", "controls/null")
LEFT_OUT = (
    NotTested(id="training/rank-killed", kind="refused", reason="Role trainer selects nothing."),
    NotTested(id="storage/disk-full", kind="skipped", reason="No driver for disks."),
)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    return [write_run(root, one) for one in NINE if one.id in NAMES]


@pytest.fixture(scope="session")
def report(runs: list[Path]) -> Report:
    return build(runs, Context(command="pytest -m chaos", not_tested=LEFT_OUT))
