"""The mutation table: its rows, its files, and the published page."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.common.tables import ROOT
from bench.mutations.cases import CASES, FAULTS, LOADS, PASS, PROBES, Case
from bench.mutations.document import write_files
from bench.mutations.faults import KILLS
from bench.mutations.memory import possible
from bench.mutations.page import page, wrong
from bench.mutations.probes import GONE, LATENCIES
from bench.mutations.session import judged
from history.result import Check, RunVerdict, Verdict
from runner.experiment.experiment import check_target, read_experiment
from target.target import load_target
from testing.histories.mutations import MUTATIONS

NO_OP = FAULTS[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_an_experiment_that_the_suite_accepts(case: Case, tmp_path: Path) -> None:
    experiments, target = write_files(case, tmp_path, ROOT)
    check_target(read_experiment(experiments / "mutated.yaml", experiments), load_target(target))
    assert case.freeze or case.fault in KILLS
    assert case.probe in LATENCIES
    assert case.evidence in GONE


def test_every_mutation_is_used_and_every_name_once() -> None:
    assert {case.fault for case in CASES if not case.freeze} == set(KILLS)
    assert {case.probe for case in CASES} == set(LATENCIES)
    assert {case.evidence for case in CASES} == set(GONE)
    assert max(Counter(case.name for case in CASES).values()) == 1
    assert min(len(FAULTS), len(PROBES), len(LOADS)) >= 10


def verdict_of(verdict: Verdict, **sentences: str) -> RunVerdict:
    checks = tuple(Check(name=name, verdict=verdict, sentence=sentence) for name, sentence in sentences.items())
    return RunVerdict(run_id="r", verdict=verdict, sentence="s", complete=True, checks=checks, measurements=())


def test_a_mutant_is_right_if_the_named_check_says_why_and_wrong_if_it_passes() -> None:
    named = judged(NO_OP, verdict_of(Verdict.INCONCLUSIVE, evidence="decoy-gone never saw it"), "", 10, 1.0)
    other = judged(NO_OP, verdict_of(Verdict.INCONCLUSIVE, evidence="something else"), "", 10, 1.0)
    passed = judged(NO_OP, verdict_of(Verdict.PASS, evidence="decoy-gone never saw it"), "", 0, 1.0)
    refused = judged(NO_OP, None, "refused: no such role", 11, 1.0)
    assert [told.right for told in (named, other, passed, refused)] == [True, False, False, False]
    assert (refused.verdict, refused.sentence) == ("refused", "refused: no such role")
    assert wrong([named.row(), passed.row()]) == [NO_OP.name]


def test_a_twin_is_right_if_it_passes_and_its_session_ends_well() -> None:
    twin = next(case for case in CASES if case.verdict == PASS)
    assert judged(twin, verdict_of(Verdict.PASS, evidence="seen"), "", 0, 1.0).right
    assert not judged(twin, verdict_of(Verdict.PASS, evidence="seen"), "", 1, 1.0).right
    assert not judged(twin, verdict_of(Verdict.INCONCLUSIVE, evidence="seen"), "", 10, 1.0).right


def test_the_page_has_a_row_for_every_case_and_counts_them() -> None:
    told = judged(NO_OP, verdict_of(Verdict.INCONCLUSIVE, evidence="decoy-gone never saw it | in time"), "", 10, 1.0)
    text = page([told.row() | {"where": "memory"}, told.row()], "python -m bench.mutations")
    assert "**0 of 1 mutants pass; 1 of 1 are named" in text
    assert f"| {NO_OP.name} | INCONCLUSIVE | INCONCLUSIVE | evidence | decoy-gone never saw it / in time |" in text


def test_the_published_table_has_a_row_for_every_case_that_needs_no_cluster() -> None:
    rows = (ROOT / "docs" / "results" / "mutations.md").read_text().splitlines()
    published = {row.split(" | ")[0].removeprefix("| ") for row in rows if row.startswith("| ")}
    known = {case.name for case in CASES if possible(case)} | {name for name, *_ in MUTATIONS}
    assert known <= published, "write it anew: python -m bench.mutations --write docs/results/mutations.md"
