"""What changed since earlier nights: each verdict against the last comparable night that ran its experiment, numbers against the spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from nights.comparable import Past, Trials, by_experiment, parts_changed, past_of, why_not
from nights.record import AVAILABILITY, RTO, Night, RunRecord, Value
from nights.spread import Judged, Reading, judge, reading_of, scale_of
from nights.suite_code import code_changed
from verdict.registered import check_named

Key = tuple[str, str]
"""A measure, and the workload whose it is (empty where one alone drives the run)."""
RANK = {"PASS": 0, "INCONCLUSIVE": 1, "FAIL": 2}


class Turn(StrEnum):
    """How an experiment's outcome differs from that of the earlier night."""

    BROKE = "broke"  # it held and does not any more
    STILL = "still failing"
    UNSURE = "inconclusive now"
    BACK = "came back"
    NEW = "new"  # no earlier night ran it
    HELD = "held"  # as before


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure of one experiment against comparable nights."""

    experiment: str
    measure: str
    unit: str
    tonight: Reading
    last: Value | None  # of the earlier night's worst trial
    judged: Judged
    left_out: dict[str, int]  # nights that are not comparable, by reason
    workload: str = ""  # whose it is, of a run that several drive
    other_code: int = 0  # of the comparable nights, so many were made by other code of the suite

    @property
    def label(self) -> str:
        """Return the measure, and whose it is where several workloads drive the run."""
        return f"{self.measure} of {self.workload}" if self.workload else self.measure


@dataclass(frozen=True, slots=True)
class Change:
    """One experiment against an earlier night: the last comparable one that ran it, else the last that ran it at all."""

    experiment: str
    title: str
    turn: Turn
    then: str  # what it counted as; empty: it was not run
    now: str
    sentence: str  # of the verdict that is worse
    not_comparable: str  # why its numbers cannot be held against that night's; empty: they can
    parts: tuple[str, ...]  # of the platform, which are others now
    numbers: tuple[Compared, ...]
    against: str = ""  # the name of that night; empty: none ran it
    against_ns: int = 0
    suite: tuple[str, ...] = ()  # parts of the suite's own code that are others now: ``verdict/``


@dataclass(frozen=True, slots=True)
class Changes:
    """Tonight against an earlier night, whose name is ``against`` (empty: there is none on this target)."""

    against: str
    against_ns: int
    changes: tuple[Change, ...]
    gone: tuple[str, ...]  # experiments that the earlier night ran and this one did not


def changes(tonight: Night, nights: Sequence[Night], measures: Sequence[str] = (RTO,), against: Night | None = None) -> Changes:
    """Compare ``tonight`` with ``nights`` (oldest first); verdicts with ``against``, by default with the last that can tell."""
    targets = {run.conditions.target for run in tonight.runs}
    before = [one for one in nights if one.night != tonight.night and one.started_ns <= tonight.started_ns]
    same = [one for one in before if targets & {run.conditions.target for run in one.runs}]
    last = against or (same[-1] if same else None)
    found = [(trials, _measured(trials, measures)) for trials in by_experiment(tonight.runs)]
    past: dict[str, list[Trials]] = {trials[0].experiment: [] for trials, _ in found}
    for trials in (trials for night in before for trials in by_experiment(night.runs)):
        past.get(trials[0].experiment, []).append(trials)
    comparisons, named = sum(len(keys) for _, keys in found), by_experiment(against.runs) if against else None
    made = tuple(_change(trials, past[trials[0].experiment], named, keys, comparisons) for trials, keys in found)
    ran = {run.experiment for run in tonight.runs}
    gone = dict.fromkeys(run.experiment for run in (last.runs if last else ()) if run.experiment not in ran)
    return Changes(last.night if last else "", last.started_ns if last else 0, made, tuple(gone))


def _measured(trials: Trials, measures: Sequence[str]) -> list[Key]:
    """Return which of the ``measures`` these trials have, each with its workload."""
    return list(dict.fromkeys((name, one.workload) for name in measures for run in trials for one in run.values if one.name == name))


def _change(trials: Trials, before: Sequence[Trials], named: Sequence[Trials] | None, measures: Sequence[Key], comparisons: int) -> Change:
    past, then, worst_now = past_of(trials, before), _then(trials, before if named is None else named, named is None), _worst(trials)
    worst_then = _worst(then) if then else None
    turn = _turn(worst_now.counts_as, worst_then.counts_as if worst_then else "")
    return Change(
        experiment=trials[0].experiment,
        title=trials[0].title,
        turn=turn,
        then=worst_then.counts_as if worst_then else "",
        now=worst_now.counts_as,
        sentence=worst_then.sentence if worst_then and turn is Turn.BACK else worst_now.sentence,
        not_comparable=why_not(trials[0].conditions, then[0].conditions) if then else "",
        parts=parts_changed(trials[0].conditions, then[0].conditions) if then else (),
        numbers=tuple(_compared(trials, then, past, key, comparisons) for key in measures),
        against=then[0].night if then else "",
        against_ns=min(run.started_ns for run in then) if then else 0,
        suite=code_changed(trials[0].versions, then[0].versions) if then else (),
    )


def _then(tonight: Trials, nights: Sequence[Trials], own_target: bool) -> Trials:
    """Return the trials with which a verdict is compared: of the last comparable night, else of the last; empty: none ran it.

    A run that was interrupted says less than an older one that was not. ``own_target``: others are not asked; a night that was named is.
    """
    ran = [one for one in nights if one[0].experiment == tonight[0].experiment]
    ran = [one for one in ran if one[0].conditions.target == tonight[0].conditions.target] if own_target else ran
    comparable = [one for one in ran if all(run.complete and not why_not(tonight[0].conditions, run.conditions) for run in one)]
    return next(iter((comparable or ran)[-1:]), ())


def _worst(trials: Trials) -> RunRecord:
    """Return the worst trial: by verdict, then by the longest RTO."""
    return max(trials, key=lambda run: (RANK.get(run.counts_as, 1), rto.value if (rto := run.value(RTO)) else 0.0))


def _turn(now: str, then: str) -> Turn:
    if not then:
        return Turn.NEW
    if now == "INCONCLUSIVE":
        return Turn.HELD if then == now else Turn.UNSURE
    if now == "FAIL":
        return Turn.STILL if then == now else Turn.BROKE
    return Turn.HELD if then == now else Turn.BACK


def _compared(trials: Trials, then: Trials, past: Past, key: Key, comparisons: int) -> Compared:
    (name, workload), now = key, trials[0]
    unit = next(value.unit for run in trials if (value := run.value(*key)))
    duration = unit == "s"
    kept = [night for night in past.nights if readings(night, key)]
    before = [readings(night, key) for night in kept]
    scale = scale_of([reading_of(of) for of in before], duration=duration)
    tonight = reading_of(readings(trials, key), scale)
    judged = judge(
        tonight, [reading_of(of, scale) for of in before], comparisons=comparisons, duration=duration, worse_is_larger=not at_least(name)
    )
    last, other = _worst(then).value(*key) if then else None, sum(bool(code_changed(now.versions, night[0].versions)) for night in kept)
    return Compared(now.experiment, name, unit, tonight, last, judged, past.left_out, workload, other)


def readings(trials: Sequence[RunRecord], key: Key) -> list[tuple[float, float | None, float | None, bool]]:
    """Return what the trials measured of ``key``: value, ends of its interval, whether it is a lower bound."""
    return [(one.value, one.low, one.high, one.censored) for run in trials if (one := run.value(*key))]


def at_least(name: str) -> bool:
    """Tell whether what the check ``name`` measures is worse when it is smaller."""
    spec = check_named(name)
    return name == AVAILABILITY or (spec is not None and spec.budget is not None and spec.budget.at_least)
