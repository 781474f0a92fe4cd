from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from history.plan import Expect
from history.reader import read_run
from reports import Context, NotTested, build, render
from reports.build import supports
from reports.model import Experiment, Trial
from reports.page.views import recovery_rows
from testing.histories.sample_plan import Impact, Scenario
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import NEVER_BACK, REPLICA_KILLED, UNCONFIRMED, WEAK, ZONE_LOST
from tests.unit.reports.conftest import Night
from verdict import judge


def only(experiments: tuple[Experiment, ...]) -> Experiment:
    assert len(experiments) == 1
    return experiments[0]


def test_experiments_are_sorted_by_verdict_then_by_margin(night: Night) -> None:
    verdicts = [e["verdict"] for e in night.raw["experiments"]]
    assert verdicts == ["FAIL", "INCONCLUSIVE"] + ["PASS"] * 7
    margins = [e["margin"] for e in night.raw["experiments"][2:]]
    assert margins == sorted(margins)
    assert night.raw["experiments"][0]["id"] == "nodes/zone-lost"


def test_the_headline_counts_and_quotes(night: Night) -> None:
    assert night.report.verdict == "FAIL"
    worst = night.report.experiments[0]
    assert night.report.sentence == f"1 of 9 experiments over budget: {worst.id}: {worst.sentence}"
    assert night.report.summary.startswith(
        "7 of 9 within budget, 1 failed, 1 inconclusive, 3 not tested; tightest margin 7.6 % (nodes/powered-off, availability)"
    )


def test_the_contract_of_report_json(night: Night) -> None:
    raw = night.raw
    assert raw["schema"] == 2
    assert {"id", "started", "target", "seed"} <= raw["run"].keys()
    trial = raw["experiments"][0]["trials"][0]
    assert {"verdict", "rto_s", "rto_resolution_s", "budgets", "fault", "checks", "load"} <= trial.keys()
    assert {"started", "confirmed", "evidence", "ended"} <= trial["fault"].keys()
    assert {"name", "verdict", "measured", "budget", "unit", "sentence"} <= trial["checks"][0].keys()
    assert {"offered_rps", "achieved_rps", "send_lag_p99_ms"} <= trial["load"].keys()
    assert trial["rto_s"] == pytest.approx(94.1, abs=0.5)


def test_trials_are_grouped_worst_first_and_say_what_they_support(tmp_path: Path) -> None:
    slower = replace(REPLICA_KILLED, impacts=(Impact(0.1, 9.0, 0.34),))
    runs = [write_run(tmp_path, scenario, trial, 3) for trial, scenario in enumerate((REPLICA_KILLED, slower, REPLICA_KILLED), 1)]
    experiment = only(build(runs).experiments)
    assert experiment.trials[0].trial == 2
    rtos = [trial.rto_s or 0.0 for trial in experiment.trials]
    assert rtos == sorted(rtos, reverse=True)
    assert experiment.sentence == experiment.trials[0].sentence
    assert experiment.supports == "3 of 3: at least 37 % of such faults, 95 % confidence"


@pytest.mark.parametrize(("n", "share"), [(1, 5), (3, 37), (5, 55), (10, 74), (30, 90)])
def test_what_n_passes_support(night: Night, n: int, share: int) -> None:
    passed = night.report.experiments[-1].trials[0]
    assert supports([passed] * n) == f"{n} of {n}: at least {share} % of such faults, 95 % confidence"
    failed: Trial = night.report.experiments[0].trials[0]
    assert supports([passed] * n + [failed]) == f"{n} of {n + 1} held; the worst trial counts"


def test_a_fault_without_effect_is_not_a_pass(tmp_path: Path) -> None:
    report = build([write_run(tmp_path, UNCONFIRMED)])
    assert report.verdict == "INCONCLUSIVE"
    fault = only(report.experiments).trials[0].fault
    assert fault.confirmed is None
    assert fault.evidence == ("replica-gone did not confirm; it saw uid 5f0c still present",)


def test_an_rto_that_never_came_is_a_lower_bound(tmp_path: Path) -> None:
    trial = only(build([write_run(tmp_path, NEVER_BACK)]).experiments).trials[0]
    assert trial.rto_censored
    assert trial.outages[0].end_s is None


def test_a_seeded_weakness_that_is_caught_counts_as_held(tmp_path: Path) -> None:
    report = build([write_run(tmp_path, WEAK)])
    experiment = only(report.experiments)
    assert (experiment.verdict, experiment.counts_as, report.verdict) == ("FAIL", "PASS", "PASS")
    assert report.sentence == "The experiment held; 1 seeded weakness caught as expected."


@pytest.mark.parametrize(
    ("weak", "expect"),
    [
        (replace(WEAK, impacts=()), Expect(verdict="FAIL", check="rto")),  # it came out PASS
        (WEAK, Expect(verdict="FAIL", check="availability")),  # it failed, but by another check
    ],
)
def test_a_seeded_weakness_that_is_not_caught_fails(tmp_path: Path, weak: Scenario, expect: Expect) -> None:
    report = build([write_run(tmp_path, replace(weak, expect=expect))])
    assert report.verdict == "FAIL"
    assert "was expected, a seeded weakness" in report.sentence


def damaged(tmp_path: Path, file: str, content: str | None) -> Path:
    run = write_run(tmp_path, REPLICA_KILLED)
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_text(content)
    return run


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("plan.json", None, "plan.json cannot be read"),
        ("plan.json", "{", "plan.json cannot be read"),
        ("plan.json", json.dumps({"schema_version": 99}), "schema version 99"),
        ("verdict.json", None, "judge it: python -m verdict"),
        ("verdict.json", '{"verdict": "PASS"}', "judge the run again"),
        ("verdict.json", "\x00\xff", "judge the run again"),
    ],
)
def test_one_broken_run_is_shown_and_costs_no_other_its_place(tmp_path: Path, file: str, content: str | None, says: str) -> None:
    good = write_run(tmp_path / "good", REPLICA_KILLED)
    report = build([damaged(tmp_path, file, content), good])
    assert len(report.experiments) == 1
    assert report.not_tested[0].kind == "unreadable"
    assert says in report.not_tested[0].reason
    assert report.verdict == "INCONCLUSIVE"


def test_a_damaged_table_is_unreadable(tmp_path: Path) -> None:
    run = write_run(tmp_path, REPLICA_KILLED)
    (run / "requests.parquet").write_bytes(b"PAR1 not a table")
    report = build([run])
    assert report.not_tested[0].kind == "unreadable"
    assert "requests.parquet" in report.not_tested[0].reason


def test_a_verdict_of_another_run_is_refused(tmp_path: Path) -> None:
    mine, other = write_run(tmp_path, REPLICA_KILLED), write_run(tmp_path, NEVER_BACK)
    shutil.copy(other / "verdict.json", mine / "verdict.json")
    assert "the verdict is of run" in build([mine]).not_tested[0].reason


@pytest.mark.parametrize(("kind", "verdict"), [("refused", "INCONCLUSIVE"), ("skipped", "PASS")])
def test_what_was_refused_is_not_a_pass_what_was_skipped_may_be(tmp_path: Path, kind: str, verdict: str) -> None:
    item = NotTested.model_validate({"id": "x/y", "kind": kind, "reason": "because"})
    assert build([write_run(tmp_path, REPLICA_KILLED)], Context(not_tested=(item,))).verdict == verdict


def test_no_run_at_all_is_inconclusive() -> None:
    report = build([])
    assert (report.verdict, report.sentence) == ("INCONCLUSIVE", "No run was given, so nothing is known.")


def test_the_floor_stands_beside_full_capacity(tmp_path: Path) -> None:
    trial = only(build([write_run(tmp_path, ZONE_LOST)]).experiments).trials[0]
    [capacity] = [row for row in recovery_rows(trial) if row.label == "Full capacity"]
    assert capacity.floor == "about 49 s"
    assert "floor: eviction alone takes 29 s (node-monitor-grace-period 40 s, less 11 s since the last lease) + 20 s" in capacity.note
    assert "(an estimate: node-monitor-grace-period could not be read" in capacity.note
    assert {row.floor for row in recovery_rows(trial) if row.label != "Full capacity"} == {""}


def test_a_floor_that_an_older_version_stored_is_still_read_and_is_a_bound(tmp_path: Path) -> None:
    run = write_run(tmp_path, ZONE_LOST)
    plan = json.loads((run / "plan.json").read_text())
    plan["floor"] = {"capacity_rto_s": 59.0, "rto_s": None, "timers": "the pods' toleration 20 s"}
    (run / "plan.json").write_text(json.dumps(plan))
    [capacity] = [row for row in recovery_rows(only(build([run]).experiments).trials[0]) if row.label == "Full capacity"]
    assert (capacity.floor, capacity.note.endswith("floor: the pods' toleration 20 s")) == ("59 s", True)


def test_a_recovery_below_its_floor_stands_out(tmp_path: Path) -> None:
    run = write_run(tmp_path, ZONE_LOST)
    plan = json.loads((run / "plan.json").read_text())
    plan["floor"]["capacity_rto_s"] = 590.0
    (run / "plan.json").write_text(json.dumps(plan))
    [capacity] = [row for row in recovery_rows(only(build([run]).experiments).trials[0]) if row.label == "Full capacity"]
    assert "quicker than its floor: eviction alone takes" in capacity.note


def test_a_run_that_was_stored_with_a_forecast_is_judged_and_shown_without_it(tmp_path: Path) -> None:
    run = write_run(tmp_path, REPLICA_KILLED)
    plan = json.loads((run / "plan.json").read_text())
    del plan["floor"]
    plan["forecast"] = {
        "rto_s": 0.5,
        "rto_range_s": [0.0, 1.0],
        "capacity_rto_s": 8.0,
        "dominant": "load",
        "parts": {"load": 5.0},
        "timers": {},
    }
    (run / "plan.json").write_text(json.dumps(plan))
    assert read_run(run).plan.forecast == plan["forecast"]
    assert judge(read_run(run)).verdict == "PASS"
    stored = json.loads((run / "verdict.json").read_text())
    stored["measurements"].append({"name": "forecast_error", "value": 0.1, "unit": "ratio", "sentence": ""})
    (run / "verdict.json").write_text(json.dumps(stored))
    page = render([run], tmp_path / "out").parent / "report.html"
    assert "Forecast error" in page.read_text()


def test_what_was_checked_of_answers_is_said_once(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, REPLICA_KILLED, trial, 2) for trial in (1, 2)]
    known = build(runs).run
    assert known.answers == ("whole, in time, and right: held against the known completion (realtime-inference)",)
    for folder in runs:
        plan = json.loads((folder / "plan.json").read_text())
        plan["workloads"][0]["answers"] = {"mode": "unknown"}
        (folder / "plan.json").write_text(json.dumps(plan))
    report = build(runs)
    (said,) = report.run.answers
    assert "whether they are right is not checked" in said
    assert "budget rpo_requests is left out of the verdict" in said
    shown = (render(runs, tmp_path / "out", Context()).parent / "index.html").read_text()
    assert shown.count("budget rpo_requests is left out of the verdict") == 1
    assert "Answers checked: whole and in time" in (tmp_path / "out" / "summary.md").read_text()
