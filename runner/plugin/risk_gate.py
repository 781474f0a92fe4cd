"""``--chaos-fail-on-risk``: a session fails on risks of the platform, apart from its verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from history.errors import AftershockError
from target.secrets.hiding import excerpt

if TYPE_CHECKING:
    from runner.plugin.session import Session

ALL, NOT_TESTED = "all", "not-tested"
LONGEST = 200  # characters of a sentence that is quoted


def gating(text: str | None) -> tuple[str, ...]:
    """Return the names of the risks that fail a session; empty: none does. Raises pytest.UsageError: there is no such risk."""
    if text is None:
        return ()
    from runner.risks.find import NAMES  # noqa: PLC0415 - judging's libraries are loaded only where they are needed

    known, asked = (ALL, NOT_TESTED, *NAMES), tuple(filter(None, (one.strip() for one in text.split(","))))
    unknown = [one for one in asked if one not in known]
    if unknown or not asked:
        raise pytest.UsageError(f"--chaos-fail-on-risk: {', '.join(unknown) or text!r} is no risk; write some of {', '.join(known)}")
    return asked


def risks_met(chaos: Session) -> list[str]:
    """Return the risks of this session that its options ask for, each once, in words."""
    return list(dict.fromkeys(_risks(chaos, chaos.options.fail_on)))


def _risks(chaos: Session, asked: tuple[str, ...]) -> Iterator[str]:
    if {ALL, NOT_TESTED} & set(asked):
        yield from (excerpt(sentence, LONGEST) for sentence in chaos.risks)
    if not asked or not chaos.run_dirs:
        return
    from history.reader import read_plan  # noqa: PLC0415 - likewise

    for run_dir in chaos.run_dirs:
        try:
            found = read_plan(run_dir).risks or ()
        except AftershockError:
            continue  # the report lists what cannot be read
        yield from (f"{one.name} of {one.where}" for one in found if {ALL, one.name} & set(asked))
