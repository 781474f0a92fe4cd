"""A few rows of the mutation table on the embedded platform; all of them: ``python -m bench.mutations --platform`` (docs/results)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.mutations.cases import CASES, Case
from bench.mutations.session import run

FEW = ("it kills another pod too, and names that one", "evidence that is always true, and a no-op", "it hangs for 2 s")


@pytest.mark.quiet
@pytest.mark.parametrize("case", [case for case in CASES if case.name in FEW], ids=lambda case: case.name)
def test_a_mutant_is_named_by_its_check(case: Case, tmp_path: Path) -> None:
    told = run(case, tmp_path, "--chaos-profile=brief")
    assert told.right, told
    assert told.verdict == case.verdict
