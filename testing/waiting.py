"""Waiting for a state, in tests and benches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from kube.wait import until

Seen = TypeVar("Seen")
PATIENCE_S = 240.0  # a node that comes back, a replica that loads its model, both on a busy machine; only ends what would hang
POLL_S = 0.05


def wait_for(look: Callable[[], Seen], what: str, patience_s: float = PATIENCE_S) -> Seen:
    """Return the first true value that ``look`` gives. Raises AssertionError, which says what was seen last: there was none in time."""
    seen = until(look, patience_s, POLL_S)
    assert seen, f"not within {patience_s:g} s: {what}; last seen: {seen!r}"
    return seen
