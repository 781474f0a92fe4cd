"""Trials are one set only if they met the same platform; others are shown apart, with the reason."""

from __future__ import annotations

from pathlib import Path

from history.plan import Plan, write_plan
from history.reader import read_run
from reports.build import build
from reports.page.html import html
from reports.page.junit import junit
from reports.page.markdown import markdown
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import REPLICA_KILLED
from testing.pages.html import parse

OURS = {"target file": "t", "template of inference": "a", "images of gateway": "g"}


def trial(root: Path, number: int, platform: dict[str, str]) -> Path:
    run_dir = write_run(root, REPLICA_KILLED, number, 3)
    plan: Plan = read_run(run_dir).plan.model_copy(update={"platform": platform})
    write_plan(plan, run_dir)
    return run_dir


def test_trials_on_one_platform_are_one_set(tmp_path: Path) -> None:
    report = build([trial(tmp_path, number, OURS) for number in (1, 2, 3)])
    (experiment,) = report.experiments
    assert (len(experiment.trials), experiment.apart) == (3, "")
    assert experiment.supports.startswith("3 of 3")


def test_trials_on_another_platform_are_apart_and_the_pages_say_why(tmp_path: Path) -> None:
    other = OURS | {"template of inference": "b"}
    report = build([trial(tmp_path, 1, OURS), trial(tmp_path, 2, OURS), trial(tmp_path, 3, other)])
    by_size = {len(experiment.trials): experiment for experiment in report.experiments}
    assert by_size[2].apart == "Shown apart from 1 other trial of this experiment: the platform was another (template of inference)."
    assert by_size[1].apart.startswith("Shown apart from 2 other trials")
    assert by_size[1].platform != by_size[2].platform
    assert by_size[1].supports.startswith("1 of 1")
    assert by_size[2].apart in parse(html(report)).text
    for page in (markdown(report), junit(report)):
        assert f"platform {by_size[1].platform}" in page


def test_older_runs_stay_one_set_and_are_no_part_of_a_known_one(tmp_path: Path) -> None:
    old = [trial(tmp_path, number, {}) for number in (1, 2)]
    (experiment,) = build(old).experiments
    assert (len(experiment.trials), experiment.platform, experiment.apart) == (2, "", "")
    mixed = build([*old, trial(tmp_path, 3, OURS)]).experiments
    assert {len(one.trials) for one in mixed} == {2, 1}
    assert {one.apart.partition(": ")[2] for one in mixed} == {"older runs do not say on which platform they were."}
