"""Rows on recorded runs: a history of known truth is edited as a broken recorder, clock, load, probe or fault would have left it."""

from __future__ import annotations

from collections.abc import Iterator

from bench.mutations.session import Result
from history.result import Verdict
from testing.histories.mutations import MUTATIONS, TWINS
from testing.histories.truth import build
from verdict import judge

RECORDED = "recorded"


def judge_all() -> Iterator[Result]:
    """Judge every mutated history and every twin."""
    for number, world in enumerate(TWINS, 1):
        verdict = judge(build(world).run)
        name, right = f"history twin {number}", verdict.verdict is Verdict.PASS
        yield Result(name, "twin", verdict.verdict.value, "", verdict.sentence, right, 0.0, 0, RECORDED)
    for name, world, mutate, check, words in MUTATIONS:
        verdict = judge(mutate(build(world).run))
        named = next(candidate for candidate in verdict.checks if candidate.name == check)
        right = verdict.verdict is not Verdict.PASS and named.verdict is not Verdict.PASS and words in named.sentence
        yield Result(name, "history", verdict.verdict.value, check, named.sentence, right, 0.0, 0, RECORDED)
