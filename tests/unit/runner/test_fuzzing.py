"""Three hundred mutated files: a clear refusal or a plan, never a traceback (``python -m bench.robustness.fuzz`` does ten thousand)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from testing.platform.fake_cluster import ROOT
from testing.runs.fuzzing import EXPERIMENTS, FULL, LOCAL, case, outcome


@pytest.mark.parametrize("first", range(0, 300, 60))
def test_a_mutated_file_is_refused_in_a_sentence_or_planned(first: int, tmp_path: Path) -> None:
    found = {seed: case(seed, tmp_path) for seed in range(first, first + 60)}
    assert [(seed, one.said) for seed, one in found.items() if one.kind == "traceback"] == []
    assert Counter(one.kind for one in found.values())["planned"] >= 10


def test_what_is_not_mutated_is_planned() -> None:
    assert {outcome(file, LOCAL[0], 1).kind for file in EXPERIMENTS} == {"planned"}
    null = ROOT / "experiments" / "control" / "null-control.yaml"
    assert [outcome(null, target, 1).kind for target in (LOCAL[1], FULL)] == ["planned", "planned"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("serving/replica-killed", lambda raw: raw["method"][0]["provider"]["arguments"].update(role=["inference"])),
        ("serving/replica-killed", lambda raw: raw["method"][0]["provider"]["arguments"].update(count="2")),
        ("serving/replica-killed", lambda raw: raw["extensions"][0]["evidence"][0]["provider"]["arguments"].update(activity=["a", "b"])),
        ("serving/replica-killed", lambda raw: raw["extensions"][0].update(deadline=10**400)),
        ("serving/engine-frozen", lambda raw: raw["method"][0]["provider"]["arguments"].update(for_s=10**400)),
    ],
)
def test_what_once_was_a_traceback_is_a_refusal(tmp_path: Path, name: str, change: Callable[[Any], None]) -> None:
    raw = yaml.safe_load((ROOT / "experiments" / f"{name}.yaml").read_text())
    change(raw)
    file = tmp_path / "experiment.yaml"
    file.write_text(yaml.safe_dump(raw))
    assert outcome(file, LOCAL[0], 1).kind == "refused"
