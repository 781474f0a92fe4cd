"""What Chaos Toolkit's defaults let pass, this suite does not, for the right reason; the same experiment without the flaw passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.common.tables import ROOT
from bench.comparison.false_passes import suite
from bench.comparison.false_passes.cases import CASES, TWINS, Case


@pytest.mark.quiet
@pytest.mark.parametrize("case", [*TWINS, *CASES], ids=lambda case: case.name)
def test_a_case_comes_out_as_it_must(case: Case, tmp_path: Path) -> None:
    result = suite.run(case, tmp_path)
    assert result.verdict == case.expected.verdict, result.sentence
    verdict, sentence = result.checks[case.expected.check]
    assert verdict == case.expected.verdict
    assert case.expected.says in sentence


def test_only_twins_are_expected_to_pass() -> None:
    assert {case.expected.verdict for case in TWINS} == {"PASS"}
    assert "PASS" not in {case.expected.verdict for case in CASES}


def test_the_published_table_has_a_row_for_every_case() -> None:
    rows = (ROOT / "docs" / "results" / "false-passes.md").read_text().splitlines()
    names = [row.split(" | ")[0].removeprefix("| ") for row in rows if row.startswith("| ")][1:]
    assert names == [case.name for case in (*TWINS, *CASES)], (
        "write it anew: python -m bench.comparison.false_passes --write docs/results/false-passes.md"
    )
