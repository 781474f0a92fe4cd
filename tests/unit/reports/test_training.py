"""The report of a run that followed a training job."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from history.result import Verdict
from reports.build import build
from reports.model import Trial
from reports.page.html import html
from reports.page.plot import describe, plot
from reports.page.plot.training import stakes
from reports.page.quality import measured_how
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import NULL
from testing.histories.training_runs import BACK_S, KILLED, LAST, RESUMED, STEP_S, write_training_run


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    report = build([write_training_run(tmp_path_factory.mktemp("runs"))])
    assert report.not_tested == ()
    return report.experiments[0].trials[0]


def test_the_run_is_judged(trial: Trial) -> None:
    assert trial.verdict is Verdict.PASS, [check.sentence for check in trial.checks if check.verdict is not Verdict.PASS]
    assert trial.slo is None
    assert trial.timeline is None


def test_attempts_are_shown_with_what_they_did_again(trial: Trial) -> None:
    assert trial.training is not None
    first, second = trial.training.attempts
    assert (first.from_step, first.step[-1], first.replayed_to_s, first.lost_steps) == (0, KILLED, None, 0)
    assert (second.from_step, second.step[-1], second.lost_steps) == (RESUMED, LAST, KILLED - RESUMED)
    assert second.replayed_to_s == pytest.approx(BACK_S + (KILLED - RESUMED) * STEP_S, abs=0.02)


def test_every_checkpoint_is_shown_with_its_fate(trial: Trial) -> None:
    assert trial.training is not None
    fates = [(one.step, one.state) for one in trial.training.checkpoints]
    assert fates == [
        (10, "verified"),
        (20, "verified"),
        (30, "verified"),
        (30, "passed over"),
        *((s, "verified") for s in (20, 30, 40, 50)),
    ]
    assert "SHA-256" in trial.training.checkpoints[3].note


def test_what_a_loss_would_cost_falls_with_every_verified_checkpoint(trial: Trial) -> None:
    assert trial.training is not None
    rows = stakes(trial.training)
    assert max(row["y"] for row in rows) == 12  # at step 13 the checkpoint of step 10 is verified
    assert next(row["y"] for row in rows if row["x"] > BACK_S - 0.05) == 1, "step 21, from step 20: what was passed over is worth nothing"
    assert all(after["x"] > before["x"] for before, after in pairwise(rows))


def test_the_plot_says_what_it_shows(trial: Trial) -> None:
    drawn = plot(trial, "p")
    for sign in ("done again", "●", "▼", "Steps that a loss would cost", "training out"):
        assert sign in drawn
    assert describe(trial) == (
        f"2 attempts up to step {LAST}; {KILLED - RESUMED} steps were done again. "
        "Checkpoints: 7 verified, 0 verified in part, 0 not saved, 1 passed over."
    )


def test_the_page_has_the_numbers(tmp_path: Path) -> None:
    page = html(build([write_training_run(tmp_path)]))
    for words in ("Steps lost", "Done again until", "RPO in steps", "passed over", "training, 2 ranks, a checkpoint every 10 steps"):
        assert words in page


def test_a_run_without_requests_is_no_doubt_about_the_load_of_others(tmp_path: Path) -> None:
    training, served = write_training_run(tmp_path), write_run(tmp_path, NULL)
    alone, both = measured_how(build([training])), measured_how(build([training, served]))
    assert alone.startswith("RTO to ± ")
    assert both.startswith("at least 100 % of the load offered, send lag p99 at most ")
    assert "doubtful" not in alone + both


def test_a_run_whose_ledger_is_not_whole_is_doubtful(tmp_path: Path) -> None:
    report = build([write_training_run(tmp_path)])
    [experiment] = report.experiments
    [trial] = experiment.trials
    checks = tuple(one.model_copy(update={"verdict": Verdict.INCONCLUSIVE}) if one.name == "ledger" else one for one in trial.checks)
    changed = experiment.model_copy(update={"trials": (trial.model_copy(update={"checks": checks}),)})
    assert measured_how(report.model_copy(update={"experiments": (changed,)})).endswith("1 run with doubtful instruments")
