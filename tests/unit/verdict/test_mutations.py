"""Broken records, loads, faults and probes: none passes, and each is named by the check that must name it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from history.kinds import EVERY, REQUESTS
from history.reader import Run
from history.result import Verdict
from testing.histories.mutations import HISTORIES, LOADS, MUTATIONS, TWINS
from testing.histories.truth import World
from tests.unit.verdict.conftest import check_of, run_of
from verdict import judge
from verdict.registered import all_checks


@pytest.mark.parametrize(("world", "mutate", "name", "words"), [pytest.param(*row[1:], id=row[0]) for row in MUTATIONS])
def test_no_mutant_passes_and_its_check_says_why(world: World, mutate: Callable[[Run], Run], name: str, words: str) -> None:
    verdict = judge(mutate(run_of(world)))
    check = check_of(verdict, name)
    assert verdict.verdict is not Verdict.PASS
    assert check.verdict is not Verdict.PASS, check.sentence
    assert words in check.sentence


@pytest.mark.parametrize("world", TWINS, ids=range(len(TWINS)))
def test_the_unmutated_twin_passes(world: World) -> None:
    verdict = judge(run_of(world))
    assert verdict.verdict is Verdict.PASS, verdict.sentence
    assert verdict.complete


def test_the_table_is_as_long_as_promised() -> None:
    assert len(MUTATIONS) >= 40
    assert len(TWINS) >= 12
    assert len({row[0] for row in MUTATIONS}) == len(MUTATIONS)


def test_every_check_of_requests_has_a_row() -> None:
    assert {spec.name for spec in all_checks() if spec.kind in {EVERY, REQUESTS}} <= {row[3] for row in MUTATIONS}


@pytest.mark.parametrize(("world", "mutate", "name", "words"), [pytest.param(*row[1:], id=row[0]) for row in HISTORIES + LOADS])
def test_a_broken_record_or_load_is_no_one_s_failure(world: World, mutate: Callable[[Run], Run], name: str, words: str) -> None:
    assert judge(mutate(run_of(world))).verdict is Verdict.INCONCLUSIVE
