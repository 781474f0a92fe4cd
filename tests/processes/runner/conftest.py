"""A checkout with experiments of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from testing.platform.fake_cluster import ROOT
from testing.runs.sessions import CHILD, Project, make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FAKE_CHILD", str(tmp_path / "script.json"))
    monkeypatch.setattr("runner.run.parent.CHILD", CHILD)
    monkeypatch.setattr("runner.plugin.plugin.write_report", lambda _chaos: True)
    return make_project(tmp_path)
