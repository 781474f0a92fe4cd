from __future__ import annotations

from functools import lru_cache

from history.reader import Run
from history.result import Check, Measurement, RunVerdict
from testing.histories.mutations import HIT, NULL, SHAM
from testing.histories.truth import Built, World, build
from verdict import judge

__all__ = ["HIT", "NULL", "SHAM"]


@lru_cache(maxsize=32)
def built(world: World) -> Built:
    """Build a world once; runs are never changed in place."""
    return build(world)


def run_of(world: World) -> Run:
    return built(world).run


def measured(run: Run, name: str) -> Measurement:
    found = judge(run).measurement(name)
    assert found is not None, name
    return found


def check_of(verdict: RunVerdict, name: str) -> Check:
    return next(check for check in verdict.checks if check.name == name)
