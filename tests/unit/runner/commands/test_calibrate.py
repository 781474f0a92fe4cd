"""What null runs say of a platform."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from history.plan import Plan
from history.reader import read_run
from history.result import Check, LoadSummary, Measurement, RunVerdict, Verdict, write_verdict
from runner.commands.calibrate import NullRun, findings, found_s, page, rate_needed_rps, read_null_run, stored
from runner.experiment.experiment import Experiment
from testing.histories.edits import asked, change_rows
from testing.histories.mutations import NULL
from testing.histories.truth import build
from testing.histories.truth_frames import write
from testing.runs.runner_parts import plan_of
from verdict import judge


def null_run(experiment: Experiment, *, outages: int = 0, verdict: Verdict = Verdict.PASS, missed_s: float = 1.2) -> NullRun:
    plan: Plan = plan_of(experiment)
    load = LoadSummary(
        offered_rps=100, achieved_rps=100, send_lag_p99_ms=1, send_lag_max_ms=5, cpu_share_max=0.2, cap_hits=0,
        scheduled=6000, recorded=6000, holes=0,
    )  # fmt: skip
    p95 = Measurement(name="baseline_p95", value=120.0, unit="ms")
    impact = Check(name="impact", verdict=verdict, sentence="x")
    missed = Measurement(name="rto_high", value=missed_s, unit="s")
    judged = RunVerdict(run_id="r", verdict=verdict, sentence="x", complete=True, checks=(impact,), measurements=(p95, missed), load=load)
    return NullRun(plan, judged, outages, watched_s=60.0)


def test_without_a_false_outage_the_rate_is_bounded_by_how_long_was_watched(experiment: Experiment) -> None:
    text = "\n".join(findings([null_run(experiment)] * 10, budget_s=10))
    assert "10 null runs, 10.0 minutes watched at 100 requests/s" in text
    assert "false outages: 0, that is at most 18 an hour (95 %)" in text
    assert "inconclusive: 0 of 10" in text
    assert "failed" not in text
    assert "users waited (p95) at most 120 ms in any run; the SLO's tightest limit is 200 ms" in text
    assert "tightest budget that can be judged: 1.2 s" in text


def test_false_outages_are_counted(experiment: Experiment) -> None:
    runs = [null_run(experiment), null_run(experiment, outages=2, verdict=Verdict.FAIL), null_run(experiment, verdict=Verdict.INCONCLUSIVE)]
    text = "\n".join(findings(runs, budget_s=None))
    assert "false outages: 2, that is 40 an hour" in text
    assert "inconclusive: 1 of 3" in text
    assert "failed without any fault: 1 of 3" in text


def test_runs_that_never_began_support_no_figure(experiment: Experiment) -> None:
    begun = null_run(experiment, verdict=Verdict.INCONCLUSIVE, missed_s=0.0)
    text = "\n".join(findings([replace(begun, watched_s=0.0)], budget_s=60))
    assert "1 null runs, 0.0 minutes watched" in text
    assert "no null run came to a reading, so no budget can be judged here" in text
    assert "an hour" not in text
    assert "needs" not in text


def test_what_a_budget_needs(experiment: Experiment) -> None:
    plan = plan_of(experiment)
    assert found_s(plan) == pytest.approx(0.1251, abs=1e-4)  # ten arrivals for six bad ones in a row with 95 %, at 100 a second, and 20 ms
    assert rate_needed_rps(plan, missed_s=0.2, budget_s=10) == pytest.approx(29 / 0.2)  # the hold of 0.2 s asks for more
    assert rate_needed_rps(plan, missed_s=0.2251, budget_s=0.15) == pytest.approx(10.513 / 0.03, rel=1e-2)
    assert rate_needed_rps(plan, missed_s=1.2, budget_s=1) is None
    assert "cannot be judged here at any rate" in findings([null_run(experiment, missed_s=1.2)], budget_s=1)[-1]


def test_an_outage_before_observation_is_a_false_one_too(tmp_path: Path) -> None:
    clean = write(build(NULL).run, tmp_path / "clean")
    early = write(change_rows(build(NULL).run, asked(-12, -11), outcome="fail", status=503), tmp_path / "early")
    for folder in (clean, early):
        write_verdict(judge(read_run(folder)), folder)
    assert read_null_run(clean).false_outages == 0
    assert read_null_run(early).false_outages == 1
    assert read_null_run(early).watched_s == pytest.approx(read_run(early).requests.height / NULL.rate_rps, rel=0.2)
    (early / "requests.parquet").write_bytes(b"damaged")
    said: list[str] = []
    assert [one.false_outages for one in stored(tmp_path, said.append)] == [0]
    assert said[0].startswith("left out: ")


def test_the_page_shows_every_judged_run_and_how_many_were_wanted(experiment: Experiment) -> None:
    text = page([null_run(experiment), null_run(experiment, outages=2, verdict=Verdict.FAIL)], 3, 10, "the command")
    assert "Made by `the command`: null runs, no fault; 2 of 3 were judged" in text
    assert [line.split(" | ")[1:3] for line in text.splitlines() if line[:3] in {"| 1", "| 2"}] == [["PASS", "0"], ["FAIL", "2"]]


def test_a_run_without_a_verdict_or_a_record_is_no_null_run(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        read_null_run(tmp_path)


def test_no_judged_run_is_no_finding() -> None:
    assert "nothing is known" in findings([], budget_s=None)[0]
