"""The page of two engines is made of run folders; the set is that of the Makefile."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.common.tables import ROOT, Row
from bench.comparison.engines.page import page
from bench.comparison.engines.passes import SET, with_answers
from history.result import Check, Measurement, RunVerdict, Verdict, write_verdict
from testing.histories.sample_plan import plan_of
from testing.histories.sample_scenarios import ENGINE_FROZEN


def judged(folder: Path, experiment: str, verdict: Verdict, *measurements: Measurement) -> None:
    """Write a run folder as a session leaves one, as far as the page reads it."""
    folder.mkdir(parents=True)
    plan = plan_of(ENGINE_FROZEN)
    info = plan.experiment.model_copy(update={"id": experiment})
    versions = {"gauges of the engines": "vllm:num_requests_waiting"}
    (folder / "plan.json").write_text(plan.model_copy(update={"experiment": info, "versions": versions}).model_dump_json(by_alias=True))
    rto = Check(name="rto", verdict=verdict, sentence="s", measured=4.2, budget=10, low=4.0, high=4.4)
    write_verdict(
        RunVerdict(run_id=folder.name, verdict=verdict, sentence="what it says", complete=True, checks=(rto,), measurements=measurements),
        folder,
    )


def passes(tmp_path: Path) -> list[Row]:
    hurt = (Measurement(name="interrupted_direct", value=3, unit="requests"), Measurement(name="wrong_green", value=28.4, unit="s"))
    judged(tmp_path / "1/runs/a", "serving/engine-frozen", Verdict.FAIL, *hurt)
    judged(tmp_path / "2/runs/a", "serving/engine-frozen", Verdict.PASS)
    row = {"exit": 1, "wall_s": 1500, "memory_gb": 11.2, "answers": ""}
    return [
        row | {"target": "vllm", "out": str(tmp_path / "1")},
        row | {"target": "local", "out": str(tmp_path / "2"), "answers": "unknown"},
    ]


def test_every_run_of_every_pass_stands_on_the_page_with_what_was_measured(tmp_path: Path) -> None:
    text = page(passes(tmp_path))
    assert "| serving/engine-frozen | FAIL | PASS |" in text
    assert "| 1 | vllm | 1 | 25.0 | 11.2 |" in text
    assert "4.2 [4, 4.4] of 10 s" in text
    assert "3 + – | 28.4 s |" in text
    assert "## Pass 2: local, answers unknown" in text
    assert "- vllm: vllm:num_requests_waiting" in text


def test_the_set_is_what_make_chaos_runs() -> None:
    assert f'-k "{SET}"' in (ROOT / "Makefile").read_text()


def test_answers_are_judged_by_another_rule_only_where_there_is_one(tmp_path: Path) -> None:
    changed = with_answers(ROOT / "targets/vllm.yaml", "unknown", tmp_path).read_text()
    assert "answers: unknown" in changed
    with pytest.raises(ValueError, match="leave --answers out"):
        with_answers(ROOT / "targets/local.yaml", "unknown", tmp_path)
