"""Three hundred mutated files: a clear refusal or a plan, never a traceback (``python -m bench.fuzz`` does ten thousand)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.fuzzing import EXPERIMENTS, TARGETS, case, outcome


@pytest.mark.parametrize("first", range(0, 300, 60))
def test_a_mutated_file_is_refused_in_a_sentence_or_planned(first: int, tmp_path: Path) -> None:
    found = {seed: case(seed, tmp_path) for seed in range(first, first + 60)}
    assert [(seed, one.said) for seed, one in found.items() if one.kind == "traceback"] == []
    assert Counter(one.kind for one in found.values())["planned"] >= 10


def test_what_is_not_mutated_is_planned() -> None:
    assert {outcome(file, TARGETS[0], 1).kind for file in EXPERIMENTS} == {"planned"}
