"""What counts as a recovery, which trials are left to do, and how sure a share is."""

from __future__ import annotations

from typing import Any

import pytest

from bench.comparison.torchrun import beyond_ns, missing, trained
from bench.comparison.torchrun_page import HARDENED, HARDENED_ONE_POD, PLAIN, PLAIN_ONE_POD, VARIANTS, markdown
from verdict.statistics import share_interval


def steps(attempt: int, first: int, last: int, ranks: tuple[int, ...] = (0, 1)) -> list[dict[str, Any]]:
    return [
        {"kind": "step", "attempt": attempt, "step": step, "rank": rank, "t_ns": 1000 * attempt + 10 * step + rank}
        for step in range(first, last + 1)
        for rank in ranks
    ]


def test_a_recovery_is_a_step_beyond_all_earlier_ones_by_all_ranks() -> None:
    before = steps(1, 1, 14)
    assert beyond_ns(before) is None
    assert beyond_ns([*before, *steps(2, 11, 14)]) is None  # it does again what was lost
    assert beyond_ns([*before, *steps(2, 11, 15, ranks=(0,))]) is None  # one rank alone
    assert beyond_ns([*before, *steps(1, 15, 15, ranks=(0,)), *steps(2, 11, 16)]) == 2000 + 150 + 1


def test_only_a_checkpoint_that_a_store_holds_counts() -> None:
    row = {"kind": "checkpoint", "stores": [{"verified": None}]}
    assert not trained([row])
    assert trained([row, {"kind": "checkpoint", "stores": [{"verified": None}, {"verified": [10, 5]}]}])


def test_variants_alternate_and_what_is_there_is_not_done_again() -> None:
    there = [{"variant": variant, "trial": 1} for variant in (PLAIN, PLAIN_ONE_POD)]
    assert missing(there, 2) == [(HARDENED, 1), (HARDENED_ONE_POD, 1), *((variant, 2) for variant in VARIANTS)]


def test_wilson_s_interval_as_published() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    for hits, trials, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)):
        assert share_interval(hits, trials) == pytest.approx((low, high), abs=5e-5)
    assert share_interval(20, 20)[1] == 1.0
    with pytest.raises(ValueError, match="at least one trial"):
        share_interval(0, 0)


def test_the_page_says_how_many_were_lost_and_how_sure_that_is() -> None:
    rows = [
        {"variant": PLAIN, "trial": n, "commit": "c", "rto_s": None if n % 2 else 3.0, "attempts": 4, "gave_up": n % 2 == 1}
        for n in range(1, 21)
    ]
    rows += [{"variant": HARDENED, "trial": n, "commit": "c", "rto_s": 2.0 + n, "attempts": 2, "gave_up": False} for n in range(1, 21)]
    text = markdown(rows)
    assert f"| {PLAIN} | 20 | 10 | 50% (30% to 70%) | 10 | 4 | 3.0 s (3.0 s) |" in text
    assert f"| {HARDENED} | 20 | 0 | 0% (0% to 16%) | 0 | 2 | 12.5 s (22.0 s) |" in text
