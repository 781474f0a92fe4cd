"""A checkout with experiments of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fake_cluster import ROOT
from tests.support.sessions import CHILD, Project, make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FAKE_CHILD", str(tmp_path / "script.json"))
    monkeypatch.setattr("runner.parent.CHILD", CHILD)
    monkeypatch.setattr("runner.plugin.write_report", lambda _chaos: True)
    return make_project(tmp_path)
