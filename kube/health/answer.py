"""What came of asking a replica."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """``well``: what the replica says of itself; None: nothing that it said reached us. ``text``: what came, for people.

    Whether silence is the replica's own fault is known of a way through which others speak, or this one spoke before: so it is chosen once,
    before a run (:mod:`kube.health.choice`).
    """

    well: bool | None
    text: str
