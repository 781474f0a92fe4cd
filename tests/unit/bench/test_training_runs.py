"""Stored training runs as rows: what was measured stands there, bounds as bounds, and runs of other kinds and broken ones do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.training.runs import cells_of, number, seconds, training_runs
from history.result import Measurement
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import NULL
from testing.histories.training_runs import KILLED, RESUMED, write_training_run


def test_a_run_that_followed_a_job_has_a_row_and_others_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    [run] = training_runs([write_training_run(tmp_path), write_run(tmp_path, NULL), tmp_path / "empty"])
    cells = cells_of(run)
    assert (cells[2], cells[5]) == ("PASS", str(KILLED - RESUMED))
    assert cells[8].startswith("0 of ")
    assert cells[10] == "–"  # nobody recorded how busy the machine was
    assert "empty: left out" in capsys.readouterr().err


def test_a_bound_is_shown_as_one_and_what_is_not_known_as_such() -> None:
    assert seconds(Measurement(name="rto_train", value=170.0, unit="s", censored=True)) == "> 170.0 s"
    assert seconds(Measurement(name="rto_train", value=0.0, unit="s")) == "none"
    assert seconds(Measurement(name="rto_train", value=None, unit="s")) == number(Measurement(name="ettr", value=None, unit="")) == "–"
