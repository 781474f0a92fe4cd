"""Turns of two test processes; here threads, each with open files of its own, stand for them."""

from __future__ import annotations

import fcntl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testing.runs.turns import Turns, locked, turn
from testing.waiting import wait_for

LONGEST_S = 30.0  # only ends a test that would hang


def test_two_turns_run_side_by_side(tmp_path: Path) -> None:
    both = threading.Barrier(2)

    def take() -> None:
        with turn(tmp_path / "turns", alone=False):
            both.wait(LONGEST_S)

    with ThreadPoolExecutor(2) as pool:
        for taken in [pool.submit(take) for _ in range(2)]:
            taken.result()


@pytest.mark.parametrize("alone", [(True, True), (True, False), (False, True)])
def test_one_that_is_alone_excludes_the_other(tmp_path: Path, alone: tuple[bool, bool]) -> None:
    inside: list[int] = []
    most: list[int] = []

    def take(mode: bool) -> None:
        for _ in range(200):
            with turn(tmp_path / "turns", alone=mode):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    with ThreadPoolExecutor(2) as pool:
        for taken in [pool.submit(take, mode) for mode in alone]:
            taken.result()
    assert len(most) == 400
    assert set(most) == {1}


def test_one_that_waits_to_be_alone_is_not_passed_by(tmp_path: Path) -> None:
    """The other process goes from test to test without a pause; it must let this one in after its current test, not at its end."""
    file, order = tmp_path / "turns", []

    def take(alone: bool) -> None:
        with turn(file, alone=alone):
            order.append(alone)

    with ThreadPoolExecutor(2) as pool:
        with turn(file, alone=False):
            waits = pool.submit(take, alone=True)
            wait_for(lambda: taken(file.with_suffix(".door")), "the one that wants to be alone stands at the door")
            late = pool.submit(take, alone=False)
            assert order == []
        waits.result()
        late.result()
    assert order == [True, False]


def test_tests_in_a_row_that_must_be_alone_share_a_turn_and_no_other_does(tmp_path: Path) -> None:
    file = tmp_path / "turns"
    turns = Turns(file)
    seen = []
    for alone, next_alone in ((True, True), (True, False), (False, True), (True, False)):
        with turns.test(alone=alone, next_alone=next_alone):
            assert taken(file)
        seen.append(taken(file))  # between this test and the next
    assert seen == [True, False, False, False]


def taken(file: Path) -> bool:
    try:
        with locked(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return True
