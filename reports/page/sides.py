"""Sentences and rows of two sides: what differs first, then what nobody can tell, then what is alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nights.side_by_side import Difference, Outcome, Pair, SideBySide, Told
from nights.spread import Reading
from reports import names
from reports.text import quantity
from verdict.words import count, listed, number

ORDER = [Told.WORSE, Told.BETTER, Told.UNKNOWN, Told.ALIKE]


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one experiment; all cells are text."""

    experiment: str
    measure: str
    first: str
    second: str
    by: str
    told: str


def headline(found: SideBySide) -> str:
    """Say in one sentence what differs, and which experiments nobody can compare."""
    if not found.pairs:
        return f"No experiment was run on both sides, {found.first} and {found.second}: nothing can be compared."
    parts = [f"{found.second} {word} {listed(which)}" for word, which in _told(found) if which]
    unknown = [pair.experiment for pair in found.pairs if not _told_of(pair)]
    told = count(len(found.pairs) - len(unknown), "experiment")
    parts = parts or (
        [f"No difference between {found.first} and {found.second} was told in {told}"] if len(unknown) < len(found.pairs) else []
    )
    parts += [f"cannot be told: {listed(unknown)}"] if unknown else []
    return f"{'; '.join(parts)}."


def _told_of(pair: Pair) -> bool:
    """Tell whether both sides were measured, and all measures can be held against each other."""
    return bool(pair.differences) and all(one.told is not Told.UNKNOWN for one in pair.differences)


def _told(found: SideBySide) -> Iterator[tuple[str, list[str]]]:
    yield "fails where the other side never did:", [one.experiment for one in found.pairs if one.second.failed and not one.first.failed]
    yield "never fails where the other side did:", [one.experiment for one in found.pairs if one.first.failed and not one.second.failed]
    for told in (Told.WORSE, Told.BETTER):
        which = [
            f"{names.label(one.measure, one.workload)} of {pair.experiment}"
            for pair in found.pairs
            for one in pair.differences
            if one.told is told
        ]
        yield f"is {told.value} in", which


def rows(found: SideBySide) -> list[Row]:
    """Return the measures, what differs first."""
    each = [(pair, one) for pair in found.pairs for one in pair.differences]
    return [_row(pair, one) for pair, one in sorted(each, key=lambda both: (ORDER.index(both[1].told), both[0].experiment))]


def _row(pair: Pair, one: Difference) -> Row:
    told = f"{one.told.value}: {one.why}" if one.why else one.told.value
    return Row(pair.experiment, names.label(one.measure, one.workload), _reading(one, one.first), _reading(one, one.second), _by(one), told)


def _reading(one: Difference, reading: Reading) -> str:
    return ("> " if reading.censored else "") + _text(one, reading.value)


def _by(one: Difference) -> str:
    """Return the second side minus the first, with its interval; an end that nothing bounds is left open."""
    if one.low is None and one.high is None:
        return _signed(one, one.by)
    ends = ["" if end is None else _signed(one, end) for end in (one.low, one.high)]
    interval = f"{ends[0]} to {ends[1]}" if all(ends) else f"at least {ends[0]}" if ends[0] else f"at most {ends[1]}"
    return f"{_signed(one, one.by)} ({interval})"


def _signed(one: Difference, value: float) -> str:
    """Return a difference with its sign; that of two shares is in percentage points."""
    size = f"{number(100 * abs(value), 2)} points" if names.unit(one.measure, one.unit) == "ratio" else _text(one, abs(value))
    return size if size.startswith("0 ") else ("+" if value > 0 else "\N{MINUS SIGN}") + size


def _text(one: Difference, value: float) -> str:
    return quantity(value, names.unit(one.measure, one.unit))


def outcome(one: Outcome) -> str:
    """Return how many trials held, failed and were inconclusive: ``2 PASS, 1 FAIL``."""
    parts = ((one.passed, "PASS"), (one.failed, "FAIL"), (one.inconclusive, "INCONCLUSIVE"))
    return ", ".join(f"{number} {word}" for number, word in parts if number)
