"""``--chaos-max-minutes``: what it says, and whether a run may still begin."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runner.plugin.session import Session

S = 60.0


def minutes(text: str, nights: str) -> float | None:
    """Return the limit in seconds, ``None``: there is none. Raises pytest.UsageError: no number, or no nights to know times from."""
    if not text:
        return None
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not 0 < limit < math.inf:
        raise pytest.UsageError(f"--chaos-max-minutes: {text!r} is not a number of minutes above 0")
    if not nights:
        raise pytest.UsageError(
            "--chaos-max-minutes needs nights that tell how long runs take: name where they are kept with --chaos-nights"
        )
    return limit * S


def too_late(chaos: Session, experiment: str) -> str:
    """Return why a run does not begin any more, since the night's time is used up; empty: it may."""
    limit_s = chaos.options.max_s
    if limit_s is None or chaos.began_s is None:
        return ""
    used_s, takes_s = time.monotonic() - chaos.began_s, chaos.run_s.get(experiment, 0.0)
    if used_s + takes_s <= limit_s:
        return ""
    return (
        f"left out by --chaos-max-minutes: {used_s / S:.0f} of {limit_s / S:g} min are used, it takes about {takes_s / S:.1f} min; "
        "earlier runs took longer than in past nights"
    )
