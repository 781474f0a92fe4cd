"""The step that is trained so that everything is compiled: it is a real one, and what does not run here is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from workloads import compiled


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages of these tests hold the platform's."""
    monkeypatch.setattr(compiled, "PYTHON", Path(sys.executable))


def test_one_step_is_trained_and_saved(tmp_path: Path) -> None:
    compiled._run(compiled.STEP, compiled.one_step(tmp_path))
    rows = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "step"] == [1]
    assert list((tmp_path / "store").rglob("*.safetensors"))


def test_what_does_not_run_here_is_named(tmp_path: Path) -> None:
    wrong = compiled.one_step(tmp_path) | {"TRAIN_STEPS": "none"}
    with pytest.raises(compiled.CompileFailed, match=r"-m workloads.training.launch ended with 2 .* TRAIN_STEPS"):
        compiled._run(compiled.STEP, wrong)
