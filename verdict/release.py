"""What a night says of a release: one rule, stated with its result."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import getdoc
from typing import NamedTuple

from history.result import Verdict
from verdict.words import count

STOP, HOLD, GO = "Do not release", "Hold the release", "Nothing that was tested speaks against a release"


class Release(NamedTuple):
    """The advice, and why it came out so."""

    advice: str
    because: str


def release_advice(verdicts: Iterable[Verdict], unknown: int, waived: int = 0) -> Release:
    """Return the advice on a release.

    Do not release if an experiment failed. Hold the release if none failed and one is inconclusive, was refused before any fault, or
    cannot be read, or if none was run: then nobody has shown that the platform holds. Otherwise nothing that was tested speaks against it;
    what was not tested is not covered. A weakness that was seeded and caught counts as held, a failure that a waiver covers is named.

    Args:
        verdicts: what each experiment counts as.
        unknown: how many were asked for and came to no verdict, those left out that the target has nothing for.
        waived: how many failed as a waiver accepts; they are none of ``verdicts``.

    """
    known = list(verdicts)
    if Verdict.FAIL in known:
        return Release(STOP, "an experiment failed")
    if Verdict.INCONCLUSIVE in known or unknown or not (known or waived):
        return Release(HOLD, "nothing failed, and not everything that was asked for came to a verdict")
    but = f" but {count(waived, 'known failure')}, which waivers accept" if waived else ""
    return Release(GO, f"everything that was asked for and that this target has held{but}; what was not tested is not covered")


def release_rule() -> str:
    """Return the rule as the docstring of the function states it."""
    _, rule, *_ = (getdoc(release_advice) or "").split("\n\n")
    return " ".join(rule.split())
