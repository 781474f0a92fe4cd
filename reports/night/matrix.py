"""The matrix of coverage, made of what collection knew and of what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from history.failure_modes import FAILURE_MODES, FailureMode, modes_of
from history.plan import Plan
from history.result import Verdict
from reports.coverage import TESTED, AtHand, Coverage, CoverageRow, Covering, Place, State
from reports.model import Experiment, NotTested
from verdict.words import count

VERDICTS = {Verdict.FAIL: State.FAILED, Verdict.INCONCLUSIVE: State.INCONCLUSIVE, Verdict.PASS: State.PASSED}
ORDER = tuple(State)
FROM_RUNS = "rendered from stored runs alone, which do not say what else could have been tested"


@dataclass(frozen=True, slots=True)
class _Entry:
    """An experiment, where it belongs in the matrix, and what became of it."""

    covering: Covering
    tags: tuple[str, ...]
    workloads: tuple[str, ...]


def coverage_of(
    plans: Iterable[Plan], experiments: Sequence[Experiment], not_tested: Sequence[NotTested], known: Sequence[AtHand]
) -> Coverage:
    """Return the matrix. ``known`` empty: nobody says which experiments there were, so what was not run is not known."""
    entries = [*_run(experiments), *_others(known, {one.id for one in experiments}, {item.id: item for item in not_tested})]
    kinds = {name: kind for one in known for name, kind in one.workloads.items()}
    kinds |= {workload.name: workload.kind for plan in plans for workload in plan.workloads}
    columns = tuple(dict.fromkeys(name for entry in entries for name in entry.workloads))
    rows = tuple(_row(mode, columns, kinds, entries, known_all=bool(known)) for mode in FAILURE_MODES.values())
    counts = Counter(row.state for row in rows)
    return Coverage(
        sentence=_sentence(counts, known_all=bool(known)),
        workloads=columns,
        rows=rows,
        counts={state: counts[state] for state in ORDER if counts[state]},
        unplaced=tuple(entry.covering for entry in entries if not modes_of(entry.tags)),
    )


def _run(experiments: Sequence[Experiment]) -> list[_Entry]:
    return [
        _Entry(Covering(experiment=one.id, title=one.title, state=VERDICTS[one.counts_as]), one.tags, tuple(one.workload.split(", ")))
        for one in experiments
    ]


def _others(known: Sequence[AtHand], run: set[str], said: Mapping[str, NotTested]) -> list[_Entry]:
    """Return what was at hand and has no verdict."""
    return [_Entry(_without_verdict(one, said.get(one.id)), one.tags, tuple(one.workloads)) for one in known if one.id not in run]


def _without_verdict(one: AtHand, item: NotTested | None) -> Covering:
    if item is not None:
        return Covering(experiment=one.id, title=one.title, state=State.NOT_RUN if item.asked else State(item.kind), why=item.reason)
    if one.selected:
        return Covering(experiment=one.id, title=one.title, state=State.NOT_RUN, why="the session ended before its turn")
    state = State.NOT_AVAILABLE if one.absent else State.NOT_SELECTED
    return Covering(experiment=one.id, title=one.title, state=state, why=one.absent)


def _row(mode: FailureMode, columns: Sequence[str], kinds: Mapping[str, str], entries: Sequence[_Entry], *, known_all: bool) -> CoverageRow:
    about = [entry for entry in entries if mode in modes_of(entry.tags)]
    places = tuple(
        _place(mode, name, kinds.get(name, ""), [entry.covering for entry in about if name in entry.workloads], known_all=known_all)
        for name in columns
    )
    gap = State.NO_EXPERIMENT if known_all else State.NOT_KNOWN
    states = [place.state for place in places if place.experiments]
    return CoverageRow(mode=mode.id, name=mode.name, state=most_telling(states, gap), places=places)


def _place(mode: FailureMode, workload: str, kind: str, found: list[Covering], *, known_all: bool) -> Place:
    """Return a place. Without an experiment it is a gap, unless the mode cannot hurt the class, or the target has no such class."""
    ordered = tuple(sorted(found, key=lambda one: (ORDER.index(one.state), one.experiment)))
    gap = State.NO_EXPERIMENT if known_all else State.NOT_KNOWN
    empty = State.NOT_AVAILABLE if not kind else gap if kind in mode.kinds else State.NOT_CONCERNED
    return Place(workload=workload, state=most_telling([one.state for one in ordered], empty), experiments=ordered)


def most_telling(states: Iterable[State], otherwise: State) -> State:
    """Return the first of ``states`` in their own order; ``otherwise`` if there is none."""
    return min(states, key=ORDER.index, default=otherwise)


def _sentence(counts: Mapping[State, int], *, known_all: bool) -> str:
    """Say how many failure modes were tested, and why the others were not."""
    total, tested = sum(counts.values()), sum(counts[state] for state in TESTED)
    head = f"Of {count(total, 'failure mode')} {tested} {'was' if tested == 1 else 'were'} tested"
    if not known_all:
        return f"{head}. Nothing is known of the others: this report was {FROM_RUNS}."
    said = (
        (State.REFUSED, "refused"),
        (State.UNREADABLE, "with a record that cannot be read"),
        (State.SKIPPED, "skipped, since the target has nothing for it"),
        (State.NOT_RUN, "not reached before the session ended"),
        (State.NOT_SELECTED, "not selected"),
        (State.NOT_AVAILABLE, "not available on this target"),
        (State.NO_EXPERIMENT, "without any experiment"),
    )
    rest = [f"{counts[state]} {words}" for state, words in said if counts[state]]
    return f"{head}; {', '.join(rest)}." if rest else f"{head}."
