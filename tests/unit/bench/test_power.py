"""The power table: rows that mean something, and a weakness is caught by nothing but a FAIL of the check that its row names."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.training.checkpoints_page import markdown as corruption_page
from bench.training.power.page import Result, markdown
from bench.training.power.scenarios import SCENARIOS
from bench.training.power.soak import FIRST, LAST, moment_of, trial_of
from bench.training.power.weaknesses import WEAKNESSES, Weakness
from history.result import Check, RunVerdict, Verdict, worst
from verdict.registered import all_checks
from workloads.training.settings import PREFIX, from_environment

WEAK = Weakness("no verification", {"verify": False}, "rank-killed", "state")


def _result(weakness: Weakness | None, **checks: Verdict) -> Result:
    made = tuple(Check(name=name, verdict=verdict, sentence=f"{name} says so.") for name, verdict in checks.items())
    found = RunVerdict(
        run_id="r", verdict=worst([one.verdict for one in made]), sentence="So.", complete=True, checks=made, measurements=()
    )
    return Result("rank-killed", weakness, 1, found)


def test_every_row_names_a_scenario_and_a_check_that_exist() -> None:
    assert len(WEAKNESSES) >= 12
    assert len({one.name for one in WEAKNESSES}) == len(WEAKNESSES)
    assert {one.scenario for one in WEAKNESSES} == {spec.id for spec in SCENARIOS}, "each scenario has a weakness, and the other way round"
    assert {one.check for one in WEAKNESSES} <= {check.name for check in all_checks()}


@pytest.mark.parametrize("weakness", WEAKNESSES, ids=lambda one: one.name)
def test_every_weakness_is_one_setting_that_differs_from_the_hardened_default(weakness: Weakness) -> None:
    given = {name: value for name, value in weakness.settings.items() if name != "single_zone"}  # the scenario's own: one store of two
    needed = {"TRAIN_RUN_ID": "r", "TRAIN_STORES": "file:///a,file:///b", "TRAIN_LEDGER": "file:///l"}
    texts = {PREFIX + name.upper(): {"True": "on", "False": "off"}.get(str(value), str(value)) for name, value in given.items()}
    weak = from_environment(needed | texts).weaknesses
    assert {one.split("=")[0] for one in weak} == set(given)


def test_caught_is_a_fail_of_the_named_check_alone() -> None:
    assert _result(WEAK, state=Verdict.FAIL, rto=Verdict.PASS).caught
    assert not _result(WEAK, state=Verdict.INCONCLUSIVE, rto=Verdict.PASS).caught
    assert not _result(WEAK, state=Verdict.PASS, rto=Verdict.FAIL).caught
    assert not _result(WEAK, rto=Verdict.FAIL).caught
    assert not _result(None, state=Verdict.FAIL).caught


def test_the_page_counts_what_was_caught_and_what_was_a_false_alarm() -> None:
    weak = [_result(WEAK, state=Verdict.FAIL), _result(WEAK, state=Verdict.PASS, rto=Verdict.FAIL)]
    hardened = [_result(None, state=verdict) for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)]
    page = markdown([*weak, *hardened], "small")
    assert "**1 of 2 weaknesses caught; 1 false alarms and 1 inconclusive in 3 hardened runs.**" in page
    assert "| no verification | `verify=False` | rank-killed | yes | state | state says so. | – |" in page
    assert "| **no** (FAIL) | state | state says so. | rto |" in page
    assert "| rank-killed | 3 | 1 | 1 | 1 | – | 0 | So. |" in page


def test_a_seed_of_the_soak_is_always_the_same_moment() -> None:
    moments = [moment_of(seed) for seed in range(30)]
    assert moments == [moment_of(seed) for seed in range(30)]
    assert all(FIRST <= one.step <= LAST for one in moments)
    assert len(set(moments)) > 20
    assert {trial_of(seed).spec.id for seed in range(2)} == {"random-kill", "random-power-cut"}


def test_the_corruption_page_counts_silent_resumes() -> None:
    outcomes = {("bit flip", "volume", "ours"): Counter({"noticed": 2}), ("bit flip", "volume", "stock"): Counter({"SILENT": 1, "–": 1})}
    page = corruption_page(outcomes, "ours: all.", 2, ("SILENT",))
    assert "- ours: of 2 resumes 0 SILENT" in page
    assert "- stock: of 1 resumes 1 SILENT" in page
    assert "| bit flip | noticed 2 | SILENT 1, – 1 |" in page
