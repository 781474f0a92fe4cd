"""Nights of a session: read before the report, so that it says what changed, and kept after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from history.errors import AftershockError, ConfigError

if TYPE_CHECKING:
    from reports.night.earlier import Asked
    from reports.past import Past
    from runner.plugin.session import Session

MOST_NIGHTS = 400
"""Of each target; older ones are deleted."""


def checked_gates(text: str, nights: str) -> str:
    """Return ``text``. Raises pytest.UsageError: it says no gates, or there are no nights to compare with."""
    if not text:
        return text
    from nights.gate import gates  # noqa: PLC0415 - judging's libraries are loaded only where they are needed

    try:
        gates(text)
    except ConfigError as error:
        raise pytest.UsageError(f"--chaos-compare-fail: {error}") from error
    if not nights:
        raise pytest.UsageError("--chaos-compare-fail needs nights to compare with: name where they are kept with --chaos-nights")
    return text


def refuse_wrong(chaos: Session, *, looks_only: bool) -> str:
    """Return why nights cannot be kept, or compared with, as the options ask; empty: they can. What only looks writes nothing there."""
    options = chaos.options
    if not options.nights and not options.compare:
        return ""
    option, asked = f"--chaos-nights={options.nights}: ", _asked(chaos)
    try:
        shelf = asked.shelf(_silent)
        if shelf is not None:
            shelf.check(writable=not looks_only)
        kept = shelf.nights() if shelf and options.compare else []
        option = "--chaos-compare: "
        asked.against(kept)
    except AftershockError as error:
        return f"{option}{error}; or leave the option out. Nothing was run"
    return ""


def past_of(chaos: Session) -> Past | None:
    """Return what earlier nights say of this session, ``None`` where nobody asked; note which gates are met. Nothing is kept yet.

    Nights out of reach, or runs that cannot be read, are said on the page; the session's own runs are not touched by that.
    """
    from reports.night.earlier import earlier  # noqa: PLC0415 - likewise
    from reports.page.past import headline  # noqa: PLC0415 - likewise

    found = earlier(chaos.run_dirs, _asked(chaos))
    chaos.regressed += found.gated.regressed
    chaos.unjudged += found.gated.unjudged
    if found.past is not None and found.past.changes is not None:
        chaos.night = headline(found.past.changes)
    return found.past


def keep(chaos: Session) -> None:
    """Keep the session's runs as a night, if that is asked for; say so, or why not: the runs stay where they are in both cases."""
    if not chaos.options.nights or not chaos.run_dirs:
        return
    try:
        shelf = _asked(chaos).shelf(_silent)
        if shelf is not None:
            kept = shelf.keep(chaos.run_dirs)
            chaos.kept = f"kept as night {kept.night} in {shelf.place}"
            shelf.expire(shelf.nights(), whole=chaos.options.keep, most=MOST_NIGHTS)
    except AftershockError as error:
        chaos.kept = f"{chaos.kept}; older nights could not be trimmed: {error}" if chaos.kept else f"not kept: {error}"


def _asked(chaos: Session) -> Asked:
    from reports.night.earlier import Asked  # noqa: PLC0415 - likewise

    options = chaos.options
    return Asked(options.nights, options.compare, options.compare_fail, options.root)


def _silent(_sentence: str) -> None:
    """Say nothing: what is not as it should be is said where nights are compared."""
