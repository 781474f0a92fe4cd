from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from history.plan import write_plan
from history.reader import read_run
from history.schema import EventKind
from reports.axis import Lane
from reports.build import build
from reports.model import Timeline
from reports.page.html import html
from reports.trial import read_judged, trial_of
from testing.histories.sample_plan import BASELINE_S, NODES, REPLICAS, Impact, Scenario, Step, ns, plan_of
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_FROZEN, GPU_LOST, NODE_DRAINED, NULL, REPLICA_KILLED, ZONE_LOST
from testing.pages.html import parse
from verdict import judge


def timeline(tmp_path: Path, scenario: Scenario) -> Timeline:
    drawn = trial_of(read_judged(write_run(tmp_path, scenario))).timeline
    assert drawn is not None
    return drawn


def lane(drawn: Timeline, name: str) -> Lane:
    return next(found for found in drawn.lanes if found.name == name)


def bars(found: Lane, state: str) -> list[tuple[float, float | None]]:
    return [(bar.from_s, bar.to_s) for bar in found.bars if bar.state == state]


def test_no_request_is_lost_between_the_record_and_the_buckets(tmp_path: Path) -> None:
    run = write_run(tmp_path, ZONE_LOST)
    drawn = trial_of(read_judged(run)).timeline
    assert drawn is not None
    shown = pl.read_parquet(run / "requests.parquet").filter(pl.col("intended_ns") >= ns(0) + int(drawn.from_s * 1e9))
    failed = shown.filter(pl.col("outcome") != "ok").height
    for buckets in (drawn.fine, drawn.coarse, drawn.table):
        assert sum(buckets.offered) == shown.height
        assert sum(buckets.bad) == failed
        assert len(buckets.offered) == len(buckets.max_ms)
    assert len(drawn.table.offered) <= 41


def test_one_slow_answer_among_a_hundred_thousand_is_drawn(tmp_path: Path) -> None:
    run = write_run(tmp_path, replace(NULL, rate_rps=2000))
    requests = pl.read_parquet(run / "requests.parquet").sort("intended_ns")
    whole = pl.read_parquet(run / "schedule.parquet").filter(~pl.col("stream"))["request_id"]
    odd = int(whole[55_000])
    late = pl.when(pl.col("request_id") == odd).then(pl.col("intended_ns") + 3_333_000_000).otherwise(pl.col("done_ns"))
    requests.with_columns(late.alias("done_ns")).write_parquet(run / "requests.parquet")
    drawn = trial_of(read_judged(run)).timeline
    assert drawn is not None
    assert max(ms or 0 for ms in drawn.fine.max_ms) == 3333
    assert sum(drawn.fine.bad) == 1


def test_lanes_show_what_changed_and_name_what_did_not(tmp_path: Path) -> None:
    drawn = timeline(tmp_path, REPLICA_KILLED)
    assert bars(lane(drawn, REPLICAS[0]), "ready") == [(drawn.from_s, 0.4)]
    assert bars(lane(drawn, "inference-7c9d-m5v7d"), "ready") == [(9.1, None)]
    assert bars(lane(drawn, "inference-7c9d-m5v7d"), "serving") == [(9.4, None)]
    assert set(drawn.lanes_unchanged) == {*NODES, *REPLICAS[1:]}
    assert drawn.lanes_left_out == 0


def test_a_cordon_and_a_lost_device_are_lanes(tmp_path: Path) -> None:
    drained, lost = timeline(tmp_path, NODE_DRAINED), timeline(tmp_path, GPU_LOST)
    assert bars(lane(drained, NODES[0]), "cordoned") == [(0.1, 33.0)]
    assert bars(lane(drained, NODES[0]), "ready") == [(drained.from_s, None)]
    assert bars(lane(lost, f"{NODES[0]} GPUs"), "ready")[-1] == (60.4, None)


def test_what_was_on_before_the_record_began_is_drawn_from_its_start(tmp_path: Path) -> None:
    silent = Step(5.0, EventKind.NODE_UNREADY, "never-seen-ready")
    drawn = timeline(tmp_path, replace(NODE_DRAINED, steps=(*NODE_DRAINED.steps, silent)))
    assert bars(lane(drawn, "never-seen-ready"), "ready") == [(drawn.from_s, 5.0)]


def test_a_replica_that_is_ready_by_its_condition_and_does_not_serve_is_hollow(tmp_path: Path) -> None:
    """Kubernetes notices a node without power after 41 s here; the replica's own health is gone at once."""
    drawn = timeline(tmp_path, replace(ZONE_LOST, id="serving/hollow"))
    hollow = next(bar for bar in lane(drawn, REPLICAS[0]).bars if bar.state == "unready")
    assert hollow.label == "Ready, does not serve"
    assert hollow.to_s is not None
    assert hollow.to_s - hollow.from_s > 20


def test_more_objects_than_fit_are_counted(tmp_path: Path) -> None:
    many = tuple(Step(float(i), EventKind.POD_UNREADY, f"pod-{i:02}") for i in range(1, 20))
    drawn = timeline(tmp_path, replace(NODE_DRAINED, steps=many))
    assert len([found for found in drawn.lanes if found.group in {"node", "pod"}]) == 12
    assert drawn.lanes_left_out == 7


def test_health_and_outages_are_lanes(tmp_path: Path) -> None:
    drawn = timeline(tmp_path, ENGINE_FROZEN)
    outages = bars(lane(drawn, "users not served"), "outage")
    assert [pytest.approx(edge, abs=0.2) for edge in (0.0, 26.4)] == list(outages[0])
    green = bars(lane(drawn, "health all green"), "green")
    assert green[0] == (drawn.from_s, 15.0)


def test_marks(tmp_path: Path) -> None:
    drawn = timeline(tmp_path, ZONE_LOST)
    marks = {mark.name.value: mark.t_s for mark in drawn.marks}
    assert marks["fault"] == 0
    assert marks["budget"] == 60
    assert marks["recovered"] == pytest.approx(94.1, abs=0.5)
    assert {mark.name.value for mark in timeline(tmp_path, replace(NULL, rto_budget_s=20)).marks} == {"budget"}


def test_a_slow_phase_is_bad_but_answered(tmp_path: Path) -> None:
    drawn = timeline(tmp_path, replace(REPLICA_KILLED, impacts=(Impact(1.0, 5.0, 1.0, "slow"),)))
    hit = [i for i, bad in enumerate(drawn.coarse.bad) if bad]
    assert hit
    assert all((drawn.coarse.p95_ms[i] or 0) > 500 for i in hit[1:-1])


def test_gauges_hold_a_sample_until_the_next_but_not_for_ever(tmp_path: Path) -> None:
    run = write_run(tmp_path, REPLICA_KILLED)
    samples = pl.read_parquet(run / "samples.parquet")
    samples.filter(~pl.col("t_ns").is_between(ns(8), ns(28))).write_parquet(run / "samples.parquet")
    drawn = trial_of(read_judged(run)).timeline
    assert drawn is not None
    in_flight = next(gauge for gauge in drawn.gauges if gauge.name == "in_flight")
    at = {round(in_flight.from_s + i * in_flight.width_s, 1): value for i, value in enumerate(in_flight.values)}
    assert at[10.0] is not None
    assert at[20.0] is None


def test_a_run_with_nothing_but_a_plan_is_a_page(tmp_path: Path) -> None:
    write_plan(plan_of(REPLICA_KILLED), tmp_path)
    (tmp_path / "verdict.json").write_text(judge(read_run(tmp_path)).model_dump_json())
    report = build([tmp_path])
    assert report.verdict == "INCONCLUSIVE"
    assert report.experiments[0].trials[0].timeline is None
    page = parse(html(report))
    assert "there is no recovery to measure" in page.text
    assert not [node for node in page.all("svg") if node.attrs.get("role") == "img"]


def test_a_run_cut_short_in_its_baseline_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path, REPLICA_KILLED)
    for table, column in (("events", "t_ns"), ("requests", "intended_ns"), ("samples", "t_ns")):
        file = run / f"{table}.parquet"
        pl.read_parquet(file).filter(pl.col(column) < ns(-5)).write_parquet(file)
    (run / "verdict.json").write_text(judge(read_run(run)).model_dump_json())
    report = build([run])
    drawn = report.experiments[0].trials[0].timeline
    assert drawn is not None
    assert (drawn.zero, drawn.from_s) == ("the load began", 0)
    assert drawn.to_s == pytest.approx(BASELINE_S - 5, abs=0.5)
    assert "This run was cut short" in parse(html(report)).text
