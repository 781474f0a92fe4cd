"""Known FAILs: what waivers say of them, as the session found it. Shown, not decided, here."""

from __future__ import annotations

from collections.abc import Iterable

from history.values import FrozenModel
from verdict.words import count, listed


class KnownFail(FrozenModel):
    """One run that a waiver is about. ``waived``: nothing else stands against it, so it does not fail the night."""

    run_id: str
    experiment: str
    waived: bool
    says: tuple[str, ...]  # a sentence on each check: covered, expired, or worse than accepted


def waived_runs(known: Iterable[KnownFail]) -> set[str]:
    """Return the ids of the runs that do not fail the night."""
    return {one.run_id for one in known if one.waived}


def known_sentence(known: Iterable[KnownFail]) -> str:
    """Return what the headline adds: how many known FAILs there are and which; empty: none."""
    names = list(dict.fromkeys(one.experiment for one in known if one.waived))
    return f" {count(len(names), 'known failure')} {'is' if len(names) == 1 else 'are'} waived: {listed(names)}." if names else ""
