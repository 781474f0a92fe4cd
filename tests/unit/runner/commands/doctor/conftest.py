"""A cluster over HTTP, and doctor as a person calls it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from history.workloads import Load
from runner.__main__ import main
from testing.platform.fake_cluster import ROOT
from testing.platform.served_cluster import ServedCluster, served_cluster
from testing.runs.doctor_parts import Ask, Said, full_cluster


@pytest.fixture
def served() -> ServedCluster:
    return ServedCluster(full_cluster())


@pytest.fixture
def doctor(served: ServedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    def ask(*words: str, **changes: Any) -> Said:
        tried: list[Load] = []
        monkeypatch.setattr("runner.drivers.requests.trial.refusals", lambda load: tried.append(load) or [])
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        with served_cluster(served, folder, **({"prometheus": None} | changes)) as (api, file):
            monkeypatch.chdir(ROOT)
            monkeypatch.setattr(sys, "argv", ["runner", "doctor", "--target", str(file), *words])
            code = main()
        printed = capsys.readouterr()
        return Said(code, printed.out.splitlines(), printed.err, [f"{one.method} {one.path}" for one in api.asked], len(tried))

    return ask
