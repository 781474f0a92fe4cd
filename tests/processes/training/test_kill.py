"""SIGKILL of a rank at every stage of a save: a loadable checkpoint always exists, and the replay ends in the same bits."""

from __future__ import annotations

import random

import pytest

from testing.training.gang import LIMIT_S, Gang

STAGES = {
    "while writing its shard": "save.before_shard@rank=1@step=12@restart=0=kill",
    "between two shards": "save.before_shard@rank=1@step=12@restart=0=sleep:1;save.after_shard@rank=0@step=12@restart=0=kill",
    "before the manifest": "save.before_manifest@step=12@restart=0=kill",
    "before the rename": "save.before_rename@step=12@restart=0=kill",
    "before the pointer": "save.after_manifest@step=12@restart=0=kill",
    "before a checkpoint is collected": "gc.before@step=6@restart=0=kill",
    "while a checkpoint is collected": "gc.during@step=6@restart=0=kill",
    "within a step, far from a save": "step@rank=1@step=16@restart=0=kill",
}


@pytest.mark.parametrize("failpoints", STAGES.values(), ids=STAGES.keys())
def test_a_killed_rank_costs_at_most_an_interval_and_no_bit(gang: Gang, reference: str, failpoints: str) -> None:
    codes = gang.run(failpoints=failpoints)
    assert -9 in codes, f"nobody was killed: {codes}"
    assert all(codes), "a rank went on alone"
    assert gang.loadable(), "no checkpoint can be loaded"

    gang.finish(failpoints=failpoints)
    summary = gang.summary()
    assert summary.final_digest == reference
    assert summary.flawless, summary.ledger.rows
    assert summary.last.depth == 0
    # what is lost is what was done since the last checkpoint, and while the one after it was being saved
    assert summary.last_lost_steps <= 2 * 6
    assert len(gang.loadable()) >= 2


@pytest.mark.parametrize("seed", range(4))
def test_kills_at_random_moments(gang: Gang, reference: str, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  moments, not secrets
    for _ in range(2):
        ranks = gang.launch(step_pause_s=0.01)
        ranks[rng.randrange(2)].join(0.15 + rng.random() * 0.3)  # the moment, not a wait for a state
        victim = rng.choice(ranks)
        victim.kill()
        gang.wait(ranks)
    gang.finish()
    summary = gang.summary()
    assert summary.final_digest == reference
    assert summary.flawless, summary.ledger.rows


def test_three_ranks_replay_the_same_bits(tmp_path: object, gang: Gang, reference_of_three: str) -> None:
    gang.world = 3
    assert -9 in gang.run(failpoints="step@rank=2@step=15@restart=0=kill")
    gang.finish()
    assert gang.summary().final_digest == reference_of_three
    assert gang.summary().flawless


def test_a_rank_that_hangs_is_noticed_by_the_timeout(gang: Gang, reference: str) -> None:
    ranks = gang.launch(failpoints="step@rank=1@step=8@restart=0=stop", collective_timeout_s=5)
    ranks[0].join(LIMIT_S)
    assert ranks[0].exitcode == 1, gang.log.read_text()
    assert ranks[1].is_alive()
    ranks[1].kill()
    gang.wait(ranks)
    gang.finish()
    assert gang.summary().final_digest == reference


def test_a_segfault_is_survived(gang: Gang, reference: str) -> None:
    assert -11 in gang.run(failpoints="step@rank=0@step=9@restart=0=segfault")
    gang.finish()
    assert gang.summary().final_digest == reference
