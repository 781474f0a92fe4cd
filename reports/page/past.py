"""Rows and drawings of what earlier nights say: sentences on what changed, numbers beside their spread, one line a trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nights.changes import Change, Changes, Compared, Turn
from nights.spread import LEAST_NIGHTS, MOST_NIGHTS, Standing
from nights.trend import Point, Trend
from reports import names
from reports.text import iso, quantity
from verdict.words import count, listed, percent, seconds

SHOWN = 30
WIDTH, HEIGHT, STEP = 300, 44, 10
SAID = {
    Turn.BROKE: "broke: it held then",
    Turn.STILL: "is still failing",
    Turn.UNSURE: "is inconclusive, and was not then",
    Turn.BACK: "came back",
    Turn.NEW: "is new here",
}
ORDER = [Turn.BROKE, Turn.UNSURE, Turn.STILL, Turn.BACK, Turn.NEW, Turn.HELD]
STANDS = [Standing.REGRESSED, Standing.LOOK, Standing.UNKNOWN, Standing.BETTER, Standing.STEADY]


def headline(found: Changes) -> str:
    """Say in one sentence what changed, what cannot be told yet, and whether the suite itself is another."""
    if not found.against:
        return "No earlier night of this target is kept, so nothing can be compared yet."
    parts = [f"{count(len(ids), 'experiment')} {word}: {listed(ids)}" for word, ids in _told(found) if ids]
    parts = parts or [_nothing(found)]
    unknown = [f"{one.label} of {one.experiment}" for one in _numbers(found) if one.judged.standing is Standing.UNKNOWN]
    parts += [f"not told yet, with fewer than {LEAST_NIGHTS} comparable nights: {listed(unknown)}"] if unknown else []
    suite = sorted({part for change in found.changes for part in change.suite})
    parts += [f"the suite itself changed: {listed(suite)}"] if suite else []
    return f"Since {_when(found.against_ns)}: {'; '.join(parts)}."


def _nothing(found: Changes) -> str:
    """Return what can be said where no outcome turned and nothing stands out: of numbers only if one could be judged."""
    judged = any(one.judged.standing is not Standing.UNKNOWN for one in _numbers(found))
    return "nothing changed beyond the spread of comparable nights" if judged else "every verdict is as before"


def _numbers(found: Changes) -> list[Compared]:
    return [one for change in found.changes for one in change.numbers]


def _told(found: Changes) -> list[tuple[str, list[str]]]:
    turns = [(turn.value, [one.experiment for one in found.changes if one.turn is turn]) for turn in ORDER[:5]]
    held = [one for change in found.changes if change.now == "PASS" for one in change.numbers]
    worse = [one.experiment for one in held if one.judged.standing is Standing.REGRESSED]
    return [*turns, ("regressed within budget", list(dict.fromkeys(worse))), ("not run any more", list(found.gone))]


def turned(found: Changes) -> list[tuple[Change, str]]:
    """Return the experiments whose outcome is another, or still a FAIL, each with what is said of it; worst first."""
    told = sorted((one for one in found.changes if one.turn in SAID), key=lambda one: ORDER.index(one.turn))
    return [(one, SAID[one.turn] + _of_night(one, found) + _because(one)) for one in told]


def _of_night(change: Change, found: Changes) -> str:
    """Return which night that was, where it is not the one that the headline names."""
    return f" ({_when(change.against_ns)}, the last that can be compared)" if change.against not in {"", found.against} else ""


def _because(change: Change) -> str:
    if not change.then or change.turn is Turn.NEW:
        return ""
    others = f"; of the platform other than then: {listed(change.parts)}" if change.parts else "; the platform is the same"
    suite = f"; the suite itself changed: {listed(change.suite)}" if change.suite else ""
    return (f"; not comparable by numbers: {change.not_comparable}" if change.not_comparable else others) + suite


@dataclass(frozen=True, slots=True)
class NumberRow:
    """One measure of one experiment beside its comparable nights."""

    experiment: str
    measure: str
    tonight: str
    last: str
    usual: str
    standing: str
    note: str


def number_rows(found: Changes) -> list[NumberRow]:
    """Return the numbers, what stands out first."""
    return [_number_row(one) for one in sorted(_numbers(found), key=lambda one: (STANDS.index(one.judged.standing), one.experiment))]


def _number_row(one: Compared) -> NumberRow:
    judged = one.judged
    change = "" if judged.change is None else f" ({'+' if judged.change > 0 else ''}{percent(judged.change)})"
    usual = (
        "" if judged.usual is None else f"{_text(one, judged.usual)}; quiet nights: {_text(one, judged.low)} to {_text(one, judged.high)}"
    )
    label = names.label(one.measure, one.workload)
    return NumberRow(
        one.experiment, label, ("> " if one.tonight.censored else "") + _text(one, one.tonight.value) + change,
        _text(one, one.last.value) if one.last else "–", usual, judged.standing.value, _note(one),
    )  # fmt: skip


def _note(one: Compared) -> str:
    judged = one.judged
    few = f"a spread takes {LEAST_NIGHTS}" if judged.standing is Standing.UNKNOWN else ""
    over = f"by the mean of the last {judged.over} nights" if judged.over > 1 else ""
    needed = "" if judged.usual is None else f"+20 % is found within {_within(judged.nights_needed)}"
    others = "; ".join(f"{nights} left out: {why}" for why, nights in one.left_out.items())
    code = f"{one.other_code} of them by other code of the suite" if one.other_code else ""
    return "; ".join(part for part in (count(judged.nights, "comparable night"), code, few, over, needed, others) if part)


def _within(nights: int | None) -> str:
    return f"more than {MOST_NIGHTS} nights: run more trials" if nights is None else count(nights, "night")


def _text(one: Compared, value: float | None) -> str:
    return quantity(value, names.unit(one.measure, one.unit))


def _when(t_ns: int) -> str:
    return iso(t_ns)[:16].replace("T", " ") + " UTC"


@dataclass(frozen=True, slots=True)
class Mark:
    """One night of a trend's drawing, in its units: the point, and the ends of its interval (from top to bottom)."""

    x: float
    y: float
    top: float
    bottom: float
    kind: str
    says: str


@dataclass(frozen=True, slots=True)
class TrendRow:
    """One experiment's line: its drawing and its numbers."""

    experiment: str
    target: str
    marks: tuple[Mark, ...]
    budget_y: float | None
    scale: str  # what the drawing's height is
    rto: str
    availability: str
    inconclusive: str
    duration: str
    table: tuple[tuple[str, ...], ...]


def trend_rows(trends: Sequence[Trend]) -> list[TrendRow]:
    """Return one row an experiment, its last 30 nights drawn."""
    return [_trend_row(one) for one in trends]


def _trend_row(trend: Trend) -> TrendRow:
    points = trend.points[-SHOWN:]
    ends = [end for one in points for end in (one.rto_s, one.rto_high_s, one.budget_s) if end is not None]
    top = max(ends, default=0.0) or 1.0
    known = [one for one in points if one.rto_s is not None]
    budget = next((one.budget_s for one in reversed(points) if one.budget_s is not None), None)
    return TrendRow(
        trend.experiment, trend.target, tuple(_mark(i, one, top) for i, one in enumerate(points) if one.rto_s is not None),
        None if budget is None else _y(budget, top), f"0 to {seconds(top)}",
        f"{_rto(known[-1])}, was {_rto(known[0])}" if len(known) > 1 else _rto(known[-1]) if known else "not measured",
        percent(points[-1].availability), f"{sum(one.inconclusive for one in points)} of {sum(one.trials for one in points)}",
        seconds(points[-1].duration_s), tuple(_cells(one) for one in points),
    )  # fmt: skip


def _mark(place: int, one: Point, top: float) -> Mark:
    value = one.rto_s or 0.0
    low, high = (one.rto_low_s if one.rto_low_s is not None else value), (one.rto_high_s if one.rto_high_s is not None else value)
    return Mark(
        STEP / 2 + place * STEP, _y(value, top), _y(high, top), _y(low, top), one.counts_as, f"{_when(one.started_ns)}: {_rto(one)}"
    )


def _y(value: float, top: float) -> float:
    return round(HEIGHT - 4 - value / top * (HEIGHT - 8), 1)


def _rto(one: Point) -> str:
    return "–" if one.rto_s is None else ("> " if one.censored else "") + seconds(one.rto_s)


def _cells(one: Point) -> tuple[str, ...]:
    interval = "–" if one.rto_low_s is None else f"{seconds(one.rto_low_s)} to {seconds(one.rto_high_s)}"
    inconclusive = f"{one.inconclusive} of {one.trials}"
    return _when(one.started_ns), one.counts_as, _rto(one), interval, percent(one.availability), inconclusive, seconds(one.duration_s)
