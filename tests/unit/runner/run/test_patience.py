"""How long healing may take, and that an API server that is away does not use it up."""

from __future__ import annotations

import pytest

from runner.run.phases.patience import Patience


class World:
    """A clock, and an API server that answers or does not."""

    def __init__(self) -> None:
        self.now_s, self.up = 0.0, True

    def patience(self, seconds: float) -> Patience:
        return Patience(seconds, lambda: self.up, lambda: self.now_s)

    def later(self, seconds: float, *, up: bool) -> None:
        self.now_s, self.up = self.now_s + seconds, up


AWAY = [(1, False, False)] * 8
"""Seconds that pass, whether the API server answers at their end, and whether time is up then."""


@pytest.mark.parametrize(
    "steps",
    [[(9, True, False), (1, True, True)], [*AWAY, (9, True, False), (1, True, True)], [(19, False, False), (1, False, True)]],
    ids=["it answered all along", "what it was away is given back", "one that stays away is not waited for for ever"],
)
def test_ten_seconds_of_patience_with_an_api_server(steps: list[tuple[float, bool, bool]]) -> None:
    world = World()
    patience = world.patience(10)
    for seconds, up, over in steps:
        world.later(seconds, up=up)
        assert patience.over() is over
