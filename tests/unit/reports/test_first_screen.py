"""The first screen: the night by harm, causes with what to change, advice on a release by its rule, excerpts of logs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from history.layout import NO_CAUSE, Advice
from history.plan import Plan, ResolvedTarget, write_plan
from history.reader import read_run
from history.result import Check, Measurement, Verdict
from reports import Context, NotTested, Report, build
from reports.model import Experiment, Trial
from reports.night.causes import failures_of
from reports.night.harm import by_harm, harm_of, over_text
from reports.page.html import html
from reports.page.views import scene_files
from reports.trial.excerpt import excerpt_of
from testing.histories.layouts import layout
from testing.histories.sample_plan import Impact
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_FROZEN, NEVER_BACK, NULL, REPLICA_KILLED, WEAK, ZONE_LOST
from testing.pages.html import parse
from tests.unit.reports.conftest import Night
from verdict.release import GO, HOLD, STOP, release_advice, release_rule


def with_values(trial: Trial, **values: float) -> Trial:
    """Return a trial in which these measurements came out so."""
    kept = [one for one in trial.measurements if one.name not in values]
    return trial.model_copy(
        update={"measurements": (*kept, *(Measurement(name=name, value=value, unit="s") for name, value in values.items()))}
    )


def with_trial(experiment: Experiment, trial: Trial) -> Experiment:
    return experiment.model_copy(update={"trials": (trial,)})


def test_wrong_answers_come_first_then_cut_then_outages_then_late_ones(night: Night) -> None:
    failed = night.report.experiments[0]
    hurt = with_trial(failed, with_values(failed.trials[0], bad_wrong=320, bad_cut=12))
    said = by_harm((hurt,), ())
    words = ("320 wrong answers", "12 answers cut", "users were not served for", "(limit 60 s)", "answers not in time", "requests refused")
    places = [said.index(word) for word in words]
    assert places == sorted(places)
    assert failed.title in said
    assert failed.id not in said


def test_a_small_wrong_comes_before_a_large_outage(tmp_path: Path) -> None:
    worse = replace(REPLICA_KILLED, impacts=(Impact(0.1, 31.0, 0.9),))
    report = build([write_run(tmp_path, one) for one in (worse, ZONE_LOST)])
    by_outage = [one.id for one in report.experiments]
    assert by_outage == ["nodes/zone-lost", "serving/replica-killed"]
    short = next(one for one in report.experiments if one.id == "serving/replica-killed")
    assert harm_of(with_values(short.trials[0], bad_wrong=1)).key > harm_of(report.experiments[0].trials[0]).key


def test_an_outage_that_did_not_end_is_a_lower_bound_with_its_limit(tmp_path: Path) -> None:
    report = build([write_run(tmp_path, NEVER_BACK)])
    assert "users were not served for > " in report.harm
    assert "(limit 30 s)" in report.harm
    check = Check(name="rto", verdict=Verdict.FAIL, sentence="", measured=93.6, budget=10, unit="s", censored=True)
    assert over_text(check) == "RTO > 93.6 s (limit 10 s)"
    none = Check(name="alerts", verdict=Verdict.FAIL, sentence="", measured=1.0, budget=0.0, unit="failed rules")
    assert over_text(none) == "Alerts 1 failed rule (none allowed)"


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (NULL, "The experiment held. Users noticed nothing."),
        (REPLICA_KILLED, "The experiment held. Within their budgets: users were not served for"),
        (WEAK, "1 seeded weakness was caught as expected."),
    ],
)
def test_what_held_says_what_it_cost(tmp_path: Path, scenario: object, said: str) -> None:
    assert said in build([write_run(tmp_path, scenario)]).harm  # type: ignore[arg-type]


def test_an_experiment_that_failed_without_harm_says_by_what(night: Night) -> None:
    held = next(one for one in night.report.experiments if one.id == "controls/null")
    slow = Check(name="capacity_rto", verdict=Verdict.FAIL, sentence="", measured=130, budget=120, unit="s")
    trial = held.trials[0].model_copy(update={"checks": (slow,), "counts_as": Verdict.FAIL})
    failed = with_trial(held, trial).model_copy(update={"counts_as": Verdict.FAIL})
    assert by_harm((failed,), ()).endswith(f"{held.title}: Full capacity 130 s (limit 120 s).")


def test_the_advice_is_parted_into_cause_and_change(night: Night) -> None:
    failed = night.report.experiments[0]
    advice = Advice(
        cause="x", where="Deployment x", field="spec.y", sentence="All stood on one node: spread them.", explains_s=9, sure="seen"
    )
    [line] = failures_of((with_trial(failed, failed.trials[0].model_copy(update={"advice": (advice,)})),))
    assert (line.cause, line.change) == ("All stood on one node.", "spread them (Deployment x: spec.y)")
    assert line.evidence.startswith("RTO 93.9 s to 94.2 s (limit 60 s)")


def late_by(trial: Trial, ms: float) -> Trial:
    """Return a trial in which all that is bad is late, and the latest answer by ``ms``."""
    assert trial.timeline is not None
    assert trial.slo is not None
    fine = trial.timeline.fine
    times = tuple(trial.slo.latency_ms + ms if i == len(fine.max_ms) - 1 else 10.0 for i in range(len(fine.max_ms)))
    changed = trial.model_copy(update={"timeline": trial.timeline.model_copy(update={"fine": fine.model_copy(update={"max_ms": times})})})
    return with_values(
        changed, bad_late=3, bad_refused=0, bad_error=0, bad_cut=0, bad_stalled=0, bad_wrong=0, false_ready=0, target_green=0
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda trial: with_values(trial, bad_wrong=320), "320 answers were whole and wrong."),
        (lambda trial: with_values(trial, false_ready=41.2), "Ready for 41.2 s in which it did not serve."),
        (lambda trial: with_values(trial, false_ready=0, target_green=14), "own health stayed green for 14 s, so it was sent requests."),
        (lambda trial: late_by(trial, 40), "answers were late by 40 ms at most."),
        (lambda trial: with_values(trial.model_copy(update={"advice": ()}), false_ready=0, target_green=0), NO_CAUSE),
    ],
)
def test_without_advice_the_cause_is_read_from_the_record(night: Night, change: object, said: str) -> None:
    failed = night.report.experiments[0]
    [line] = failures_of((with_trial(failed, change(failed.trials[0])),))  # type: ignore[operator]
    assert said in line.cause


def test_nothing_is_guessed_of_what_has_no_verdict(night: Night) -> None:
    line = next(one for one in night.report.failures if one.verdict is Verdict.INCONCLUSIVE)
    assert (line.evidence, line.change) == ("", "")
    assert "not offered as planned" in line.cause


@pytest.mark.parametrize(
    ("verdicts", "unknown", "advice"),
    [
        ((Verdict.PASS, Verdict.FAIL), 0, STOP),
        ((Verdict.INCONCLUSIVE, Verdict.FAIL), 2, STOP),
        ((Verdict.PASS, Verdict.INCONCLUSIVE), 0, HOLD),
        ((Verdict.PASS,), 1, HOLD),
        ((), 0, HOLD),
        ((Verdict.PASS, Verdict.PASS), 0, GO),
    ],
)
def test_the_release_follows_its_rule(verdicts: tuple[Verdict, ...], unknown: int, advice: str) -> None:
    assert release_advice(verdicts, unknown).advice == advice


def test_a_failure_that_a_waiver_accepts_is_named_beside_the_advice() -> None:
    found = release_advice([Verdict.PASS], 0, waived=1)
    assert found.advice == GO
    assert "held but 1 known failure, which waivers accept" in found.because
    assert release_advice([], 0, waived=1).advice == GO
    assert release_advice([Verdict.PASS], 1, waived=1).advice == HOLD
    assert release_rule().startswith("Do not release if an experiment failed. Hold the release if none failed and one is inconclusive")


def test_what_the_target_has_nothing_for_holds_no_release_up(tmp_path: Path) -> None:
    run = write_run(tmp_path, NULL)
    skipped = NotTested(id="x", kind="skipped", reason="y")
    for item, advice in ((skipped, GO), (skipped.model_copy(update={"kind": "refused"}), HOLD)):
        release = build([run], Context(not_tested=(item,))).release
        assert release is not None
        assert release.advice == advice


def test_confidence_says_how_much_how_often_and_with_what(night: Night, tmp_path: Path) -> None:
    assert night.report.confidence.startswith("9 experiments, 1 to 3 trials each, 11 runs")
    assert "Substituted: gpu" in night.report.confidence
    assert " A failure was measured: the load was offered, the fault was seen to act" in night.report.confidence
    calm = build([write_run(tmp_path, NULL)]).confidence
    assert "one trial each: a pass says that the platform can survive such a fault" in calm
    assert "failure" not in calm


def test_the_first_screen_has_its_order(night: Night) -> None:
    head = next(node for node in night.index.all("header"))
    terms = [node.text for node in head.all("dt")]
    assert terms == ["Confidence", "FAIL", "INCONCLUSIVE", "Release", "Not tested", "SLO"]
    assert night.report.harm in head.first("h1").text
    title = night.report.experiments[0].title
    assert next(node.attrs["href"] for node in head.all("a") if node.text == title) == "experiments/nodes-zone-lost.html"


def test_no_code_name_of_a_check_stands_on_the_first_screen(night: Night) -> None:
    shown = next(node for node in night.index.all("header")).text
    names = {check.name for one in night.report.experiments for trial in one.trials for check in trial.checks if "_" in check.name}
    assert names
    assert not [name for name in names if name in shown]


def on_platform(run: Path) -> Plan:
    parts = {"target file": "t" * 16, "template of inference": "a" * 16, "images of inference": "b" * 16, "replicas of inference": "c" * 16}
    plan = read_run(run).plan.model_copy(update={"platform": parts, "layout": layout()})
    write_plan(plan, run)
    return plan


def test_the_revision_of_the_platform_is_on_the_page(tmp_path: Path) -> None:
    run = write_run(tmp_path, REPLICA_KILLED)
    plan = on_platform(run)
    report = build([run])
    [platform] = report.platforms
    assert (platform.digest, platform.experiments) == (plan.platform_digest, ("serving/replica-killed",))
    [role] = platform.roles
    assert (role.replicas, role.template, role.disruption) == ("3 of 3 ready", "a" * 16, "inference: 2 of 3 must stay")
    assert "readiness: HTTP /health, 2 × 1 s" in role.probes
    table = next(node for node in parse(html(report)).all("table") if node.attrs.get("class") == "platform")
    assert all(text in table.text for text in ("Deployment inference", "aaaaaaaa", "bbbbbbbb", role.probes, role.disruption))


def test_budgets_say_who_set_them_and_same_ones_share_a_row(night: Night) -> None:
    table = next(node for node in night.index.all("table") if node.attrs.get("class") == "limits")
    rows = table.first("tbody").all("tr")
    assert 1 < len(rows) < len(night.report.experiments)
    assert all("(experiment)" in row.text for row in rows if "RTO" in row.text)


def logs(run: Path, **files: str) -> None:
    for name, text in files.items():
        (run / "scene" / f"{name}.engine.log").write_text(text)


def test_the_first_error_of_what_was_hit_is_quoted_and_bystanders_are_not(tmp_path: Path) -> None:
    run = write_run(tmp_path, ENGINE_FROZEN)
    before = "".join(f"step {i}\n" for i in range(50))
    logs(run, hit=before + "CUDA error: device lost\n" + "after\n" * 20, aside="RuntimeError: not mine\n")
    excerpt = excerpt_of(run, [ResolvedTarget(kind="Pod", name="hit"), ResolvedTarget(kind="Node", name="aside")])
    assert excerpt is not None
    assert (excerpt.path, excerpt.first_line) == ("scene/hit.engine.log", 49)
    assert excerpt.lines[2] == "CUDA error: device lost"
    assert len(excerpt.lines) == 9
    assert excerpt_of(run, [ResolvedTarget(kind="Pod", name="elsewhere")]) is None


def test_the_excerpt_and_whose_logs_are_whose_stand_on_the_page(tmp_path: Path) -> None:
    run = write_run(tmp_path, REPLICA_KILLED)
    hit = "inference-7c9d-4k2xp"
    logs(run, **{hit: "Traceback (most recent call last):\n", "inference-7c9d-8wzqm": "ERROR of another\n"})
    report: Report = build([run])
    met, others = scene_files(report.experiments[0].trials[0])
    assert [file.path for file in others] == ["scene/inference-7c9d-8wzqm.engine.log"]
    assert "scene/events.txt" in [file.path for file in met]
    page = parse(html(report)).text
    assert "Traceback (most recent call last):" in page
    assert "ERROR of another" not in page
