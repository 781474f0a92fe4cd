"""Retries are attempts of one request: every one is a row, and together they say whether the user was served."""

from __future__ import annotations

import polars as pl
import pytest

from tests.integration.load.conftest import Played

HEDGE_LOST = "HedgeLost: another attempt answered first"


def served_share(run: Played) -> float:
    """Return the share of users of whom any attempt was answered."""
    users = run.run.requests.group_by("request_id").agg((pl.col("outcome") == "ok").any().alias("served"))
    return float(users.select(pl.col("served").mean()).item())


@pytest.mark.parametrize("policy", ["naive", "budgeted", "hedged"])
def test_every_attempt_is_a_row_of_its_own(played: dict[str, Played], policy: str) -> None:
    requests, schedule = played[policy].run.requests, played[policy].run.schedule
    assert requests.height == played[policy].truth["seen"] > schedule.height
    users = requests.sort("attempt").group_by("request_id").agg("attempt", pl.col("intended_ns").n_unique())
    assert sorted(users["request_id"]) == schedule["request_id"].to_list()
    assert users["intended_ns"].unique().to_list() == [1]
    assert all(numbers == list(range(len(numbers))) for numbers in users["attempt"].to_list())


def test_naive_tries_until_served_or_out_of_attempts(played: dict[str, Played]) -> None:
    for outcomes in played["naive"].run.requests.sort("attempt").group_by("request_id").agg("outcome")["outcome"].to_list():
        assert outcomes[:-1] == ["fail"] * (len(outcomes) - 1)
        assert outcomes[-1] == "ok" or len(outcomes) == 3
    assert served_share(played["naive"]) > 0.75  # 1 - 0.5^3 of them


def test_budgeted_adds_no_more_than_its_share(played: dict[str, Played]) -> None:
    run = played["budgeted"].run
    retries = run.requests.filter(pl.col("attempt") > 0).height
    assert 0.1 * run.schedule.height < retries <= 0.2 * run.schedule.height


def test_hedged_asks_again_beside_a_slow_answer_and_after_a_failure(played: dict[str, Played]) -> None:
    requests = played["hedged"].run.requests
    lost = requests.filter(pl.col("error") == HEDGE_LOST)
    assert lost.height > 5
    assert lost["outcome"].unique().to_list() == ["unknown"]
    failed = requests.filter(pl.col("error").str.starts_with("ConnectionResetError"))
    assert failed.height > 5
    assert served_share(played["hedged"]) > 0.9  # 1 - 0.4^4 of them
