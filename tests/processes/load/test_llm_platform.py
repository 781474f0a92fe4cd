"""Answers of seconds under the real load: the verdict counts who was hurt as the platform itself does."""

from __future__ import annotations

from pathlib import Path

import pytest

from testing.load.llm_runs import World, play

pytestmark = pytest.mark.quiet


def test_the_verdict_says_who_was_hurt_and_for_how_long(tmp_path: Path) -> None:
    played = play(tmp_path, "freeze", World.hurried(), for_s=3.0)
    bad, rto = played.verdict.measurement("requests_bad"), next(one for one in played.verdict.checks if one.name == "rto")
    assert played.told.hurt_by() >= 3, "the fault hurt hardly anybody: it was no fault"
    assert bad is not None
    assert bad.value == pytest.approx(played.told.hurt_by(), abs=1)
    assert rto.low is not None
    assert rto.high is not None
    assert rto.low <= played.told.lasted_s <= rto.high
    assert "noticed no outage" not in rto.sentence
