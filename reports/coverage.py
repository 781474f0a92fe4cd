"""What a night covers: failure modes by classes of workload, and for each place what became of the experiments that are about it.

A place without an experiment is a gap, and is shown as one.
"""

from __future__ import annotations

from enum import StrEnum

from history.values import FrozenModel


class AtHand(FrozenModel):
    """An experiment that was at hand, as collection read it, whether it was asked for or not."""

    id: str
    title: str
    tags: tuple[str, ...]
    workloads: dict[str, str]  # class -> its kind, empty: the target has no such class; it is about the first
    selected: bool
    absent: str = ""  # why the target has nothing for it; empty: it has


class State(StrEnum):
    """What became of an experiment, or of a place in the matrix: what says most first."""

    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    PASSED = "passed"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    SKIPPED = "skipped"
    NOT_RUN = "not run"  # it was selected, and the session ended before
    NOT_SELECTED = "not selected"
    NOT_AVAILABLE = "not available"  # on this target; nobody asked for it either
    NO_EXPERIMENT = "no experiment"
    NOT_KNOWN = "not known"  # rendered from runs alone: nobody says what else there was
    NOT_CONCERNED = "not concerned"  # the mode cannot hurt a workload of this kind


TESTED = frozenset({State.FAILED, State.INCONCLUSIVE, State.PASSED})


class Covering(FrozenModel):
    """An experiment and what became of it here."""

    experiment: str
    title: str
    state: State
    why: str = ""  # of what has no verdict


class Place(FrozenModel):
    """One place of the matrix: a failure mode and a class of workload. ``state`` is what says most of its experiments'."""

    workload: str
    state: State
    experiments: tuple[Covering, ...] = ()


class CoverageRow(FrozenModel):
    """One failure mode; ``state`` is what says most of its places."""

    mode: str
    name: str
    state: State
    places: tuple[Place, ...]


class Coverage(FrozenModel):
    """The matrix, and how many failure modes ended how."""

    sentence: str
    workloads: tuple[str, ...]  # the columns
    rows: tuple[CoverageRow, ...]
    counts: dict[State, int]  # of rows by their state
    unplaced: tuple[Covering, ...]  # experiments that name no failure mode
