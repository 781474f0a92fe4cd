"""Keeps the session's record up to date, from which its report is made if it is killed."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from runner.session_record import NAME, Begun, LeftOut, Planned, SessionRecord, SessionState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runner.plugin.items import ExperimentItem
    from runner.plugin.session import Session


def begin(chaos: Session, items: Iterable[ExperimentItem]) -> None:
    """Note what the session is to run, and begin its record."""
    trials: dict[str, Planned] = {}
    for item in items:
        title = item.experiment.document.title
        if item.absent:
            entry = (item.experiment.id, title, item.absent)
            chaos.absent += [entry] if entry not in chaos.absent else []  # one of several trials
            continue
        known = trials.get(item.experiment.id)
        trials[item.experiment.id] = Planned(id=item.experiment.id, title=title, trials=known.trials + 1 if known else 1)
    chaos.planned = list(trials.values())
    with suppress(OSError):  # there is no place for it: each run says so itself
        chaos.record = SessionRecord.begin(chaos.options.out, state_of(chaos), os.environ.get(NAME, ""))


def began(chaos: Session, experiment: str, run_dir: Path) -> None:
    """Note that a run begins, before it can do anything."""
    chaos.begun.append(Begun(id=experiment, path=run_dir))
    note(chaos)


def refused(chaos: Session, run_dir: Path) -> None:
    """Take note that the run in ``run_dir`` is refused; it is written once the reason is known, too (:func:`note`)."""
    chaos.begun = [one.model_copy(update={"refused": True}) if one.path == run_dir else one for one in chaos.begun]


def note(chaos: Session) -> None:
    """Write the record anew."""
    if chaos.record is not None:
        with suppress(OSError):  # a full disk keeps no run from going on; the runs say so themselves
            chaos.record.write(state_of(chaos))


def end(chaos: Session) -> None:
    """Take the record away: the session ended in order."""
    if chaos.record is not None:
        with suppress(OSError):  # likewise
            chaos.record.end()
        chaos.record = None


def state_of(chaos: Session) -> SessionState:
    """Return what the session has planned, begun and left out."""
    out = [LeftOut(id=name, title=title, reason=why, refused=True) for name, title, why in chaos.refused]
    out += [LeftOut(id=name, title=title, reason=why) for name, title, why in chaos.absent]
    out += [LeftOut(id=name, title=title, reason=why, asked=True) for name, title, why in chaos.no_time]
    return SessionState(
        command=chaos.options.command(),
        nights=chaos.options.nights,
        root=chaos.options.root,
        planned=tuple(chaos.planned),
        begun=tuple(chaos.begun),
        left_out=tuple(out),
    )


def why_stopped(session: pytest.Session, exitstatus: int) -> str:
    """Return why a session ended early, as far as pytest says; empty: it did not."""
    said = session.shouldstop or session.shouldfail
    early = said or exitstatus in {pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR}
    return str(said or "it was interrupted").partition(";")[0] if early else ""
