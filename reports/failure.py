"""What did not hold in one line for people, and what that says of a release: the models of it."""

from __future__ import annotations

from history.result import Verdict
from history.values import FrozenModel


class Failure(FrozenModel):
    """An experiment that did not come out as expected. ``change`` is empty where nothing is known that would help."""

    experiment: str
    title: str
    verdict: Verdict
    cause: str
    evidence: str
    change: str


class Release(FrozenModel):
    """The advice on a release, why it came out so, and the rule."""

    advice: str
    because: str
    rule: str
