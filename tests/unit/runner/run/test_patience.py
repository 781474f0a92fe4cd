"""How long healing may take, and that an API server that is away does not use it up."""

from __future__ import annotations

from runner.run.phases.patience import Patience


class World:
    """A clock, and an API server that answers or does not."""

    def __init__(self) -> None:
        self.now_s, self.up = 0.0, True

    def patience(self, seconds: float) -> Patience:
        return Patience(seconds, lambda: self.up, lambda: self.now_s)

    def later(self, seconds: float, *, up: bool) -> None:
        self.now_s, self.up = self.now_s + seconds, up


def test_time_is_up_when_the_api_server_answered_all_along() -> None:
    world = World()
    patience = world.patience(10)
    world.later(9, up=True)
    assert not patience.over()
    world.later(1, up=True)
    assert patience.over()


def test_what_the_api_server_was_away_is_given_back() -> None:
    world = World()
    patience = world.patience(10)
    for _ in range(8):
        world.later(1, up=False)
        assert not patience.over()
    world.later(9, up=True)
    assert not patience.over()
    world.later(1, up=True)
    assert patience.over()


def test_an_api_server_that_stays_away_is_not_waited_for_for_ever() -> None:
    world = World()
    patience = world.patience(10)
    world.later(19, up=False)
    assert not patience.over()
    world.later(1, up=False)
    assert patience.over()
