"""Earlier nights beside runs: what changed since, which gates are met, the trend. A session and ``python -m reports`` ask alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from history.errors import AftershockError, NightsError
from nights.changes import changes
from nights.gate import Gated, gated, gates
from nights.of_session import night_of
from nights.record import RTO, Night
from nights.shelf import Say, Shelf
from nights.store.place import open_store
from nights.trend import trends
from reports.past import Past


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of earlier nights; relative paths count from ``root``."""

    nights: str = ""  # where they are kept; empty: nowhere
    compare: str | None = None  # a kept night, or the folder of a run; empty: the last night; None: only if nights are kept
    gates: str = ""  # regressions that fail a session: rto:20%
    root: Path = Path()

    def shelf(self, say: Say) -> Shelf | None:
        """Return the nights that are kept; ``say`` gets what was not as it should be. Raises NightsError: that is no place."""
        return Shelf(open_store(self.nights, self.root), say) if self.nights else None

    def against(self, kept: Sequence[Night]) -> Night | None:
        """Return the night that ``compare`` names; None: it names none. Raises NightsError: there is none of that name."""
        if not self.compare:
            return None
        folder = self.root / self.compare
        found = next((night for night in kept if night.night == self.compare), None)
        if found is None and not (folder / "plan.json").exists():
            last = ", ".join(night.night for night in kept[-3:]) or "none"
            raise NightsError(
                f"compare with {self.compare}: no kept night of that name and no folder of a run; the last that are kept: {last}"
            )
        return found or night_of([folder])


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier nights say. ``past`` is None where nobody asked; ``gated`` says which gates are met."""

    past: Past | None = None
    gated: Gated = field(default_factory=Gated)


def earlier(run_dirs: Sequence[Path], asked: Asked) -> Earlier:
    """Hold the runs against earlier nights. What is out of reach or cannot be read is a note and costs no verdict."""
    if (not asked.nights and asked.compare is None) or not run_dirs:
        return Earlier()
    notes: list[str] = []
    try:
        shelf, tonight = asked.shelf(notes.append), night_of(run_dirs)
        kept = shelf.nights() if shelf else []
        against = asked.against(kept)
    except AftershockError as error:
        past = Past(place=asked.nights, notes=(*notes, f"Not compared with earlier nights: {error}"))
        return Earlier(past, Gated(unjudged=(str(error),) if asked.gates else ()))
    past, met = _compared(tonight, before(tonight, kept), against, asked)
    return Earlier(past.model_copy(update={"notes": tuple(notes)}), met)


def before(tonight: Night, kept: Sequence[Night]) -> list[Night]:
    """Return the nights that began no later than ``tonight``, without its own runs: they may be kept already."""
    own = {run.run_id for run in tonight.runs}
    others = [replace(one, runs=tuple(run for run in one.runs if run.run_id not in own)) for one in kept]
    return [one for one in others if one.runs and one.started_ns <= tonight.started_ns]


def _compared(tonight: Night, nights: list[Night], against: Night | None, asked: Asked) -> tuple[Past, Gated]:
    to_meet = gates(asked.gates) if asked.gates else ()
    found = changes(tonight, nights, list(dict.fromkeys([RTO, *(gate.measure for gate in to_meet)])), against)
    targets = {run.conditions.target for run in tonight.runs}
    series = [replace(one, runs=tuple(run for run in one.runs if run.conditions.target in targets)) for one in (*nights, tonight)]
    return Past(place=asked.nights, changes=found, trends=tuple(trends(series)) if asked.nights else ()), gated(found, to_meet)
