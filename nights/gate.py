"""``--chaos-compare-fail rto:20%,…``: which regressions fail a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from history.errors import ConfigError
from history.values import parse_share
from nights.changes import Changes, Compared, at_least
from nights.record import AVAILABILITY, RTO
from nights.spread import LEAST_NIGHTS, Standing
from verdict.registered import all_checks
from verdict.words import percent


@dataclass(frozen=True, slots=True)
class Gate:
    """A measure, and by what share of the usual it must be worse, beyond its spread, to fail a session."""

    measure: str
    share: float


def gates(text: str) -> tuple[Gate, ...]:
    """Return the gates of ``rto:20%,availability:1%``. Raises ConfigError: an unknown measure, or no share."""
    return tuple(_gate(part.strip()) for part in text.split(","))


def _gate(text: str) -> Gate:
    name, _, share = text.partition(":")
    known = list(dict.fromkeys([RTO, AVAILABILITY, *(check.name for check in all_checks() if check.budget is not None)]))
    if name not in known:
        raise ConfigError(f"{text!r}: {name!r} is not measured; write MEASURE:SHARE with one of {', '.join(known)}")
    try:
        return Gate(name, parse_share(share))
    except ValueError as error:
        raise ConfigError(f"{text!r}: {error}; write {name}:20%") from error


@dataclass(frozen=True, slots=True)
class Gated:
    """What the gates found: sentences on regressions that fail the session, and on what could not be judged."""

    regressed: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()


def gated(found: Changes, asked: Sequence[Gate]) -> Gated:
    """Hold every measure of every experiment against its gate."""
    pairs = [(gate, one) for gate in asked for change in found.changes for one in change.numbers if one.measure == gate.measure]
    silent = [f"{gate.measure}: no experiment of this night measured it" for gate in asked if gate not in {of for of, _ in pairs}]
    return Gated(tuple(_regressed(pairs)), (*_unjudged(pairs), *silent))


def _regressed(pairs: Sequence[tuple[Gate, Compared]]) -> Iterator[str]:
    for gate, one in pairs:
        worse = _worse(one)
        if one.judged.standing is Standing.REGRESSED and (worse is None or worse >= gate.share):
            over = "tonight" if one.judged.over == 1 else f"over the last {one.judged.over} nights"
            much = "worse" if worse is None else f"{percent(worse)} worse"
            where = ", in which it was next to nothing" if worse is None else ""
            yield (
                f"{one.experiment}: {one.label} is {much} than in {one.judged.nights} comparable nights{where}, "
                f"beyond their spread {over}; allowed: {percent(gate.share)}"
            )


def _worse(one: Compared) -> float | None:
    """Return by what share a measure is worse than usual (negative: better); None: the usual is next to nothing, no share says it."""
    change = one.judged.change
    return change if change is None or not at_least(one.measure) else -change


def _unjudged(pairs: Sequence[tuple[Gate, Compared]]) -> Iterator[str]:
    for _, one in pairs:
        if one.judged.standing is Standing.UNKNOWN:
            others = "".join(f"; {count} left out: {why}" for why, count in one.left_out.items())
            yield f"{one.experiment}: {one.label} has {one.judged.nights} comparable nights, {LEAST_NIGHTS} are needed{others}"
