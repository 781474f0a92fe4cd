"""How the clocks of those who wrote a training ledger lie, and their times by the clock that times faults.

A host that asked the ledger's server for the time wrote ``clock`` rows: offset and error are known. Of one that did not, the server's
receipt of its rows is a bound: no row arrives before it was written. So its rows are placed as late as the quickest of them allows, and
how much longer a row usually took counts as what that may be wrong by. So does how far the quickest of some seconds lies from that of
others: a clock that drifts, or was set in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from history.ledgers import CLOCK, RUNNER, detail_of

WHO = pl.coalesce("host", pl.format("rank {}", pl.col("rank")))
"""Whose clock a row's time is of."""


SPELL_NS = 10_000_000_000
"""In a stretch of this length the quickest row shows how the clock lies …"""
FEWEST_ROWS = 5
"""… if there are so many; a single one may have waited for long."""


class HostClock(NamedTuple):
    """What is added to a host's times to have those of the ledger's server (ns), and how wrong that may be (ns)."""

    offset_ns: int
    error_ns: int
    asked: bool  # it asked for the time; otherwise only the receipt of its rows is known


@dataclass(frozen=True, slots=True)
class LedgerClocks:
    """By host, how far its clock lies; ``runner`` is the clock that times faults. Empty for ledgers in which nothing tells of clocks."""

    hosts: Mapping[str, HostClock] = field(default_factory=dict)
    runner: HostClock | None = None
    unknown: tuple[str, ...] = ()  # hosts of which nothing is known, although something is of others

    @property
    def error_s(self) -> float:
        """By how much a time of the ledger may be wrong against the time of the fault (s)."""
        own_ns = self.runner.error_ns if self.runner else 0
        return (own_ns + max(host.error_ns for host in self.hosts.values())) / 1e9 if self.hosts else 0.0

    @property
    def furthest(self) -> tuple[str, float]:
        """The host whose clock lies furthest from the one that times faults, and by how much it is ahead of it (s)."""
        ahead = {name: -self.shift_ns(name) / 1e9 for name in self.hosts}
        return max(ahead.items(), key=lambda one: abs(one[1]), default=("", 0.0))

    def shift_ns(self, host: str) -> int:
        """Return what is added to the times of ``host`` (ns): 0 where nothing is known."""
        known = self.hosts.get(host)
        return known.offset_ns - (self.runner.offset_ns if self.runner else 0) if known else 0


NO_CLOCKS = LedgerClocks()


def clocks_of_ledger(rows: pl.DataFrame) -> LedgerClocks:
    """Return what ``rows`` (columns: :data:`history.schema.TRAINING`) tell of the clocks of those who wrote them."""
    asked = _asked(rows.filter(pl.col("kind") == CLOCK))
    runner, bounds = asked.pop(RUNNER, None), _bounds(rows.filter(pl.col("kind") != CLOCK))
    hosts = {name: _host(asked.get(name), bounds.get(name)) for name in sorted({*asked, *bounds})}
    known = {name: clock for name, clock in hosts.items() if clock is not None}
    if not known:
        return NO_CLOCKS
    silent = [name for name, clock in hosts.items() if clock is None]
    return LedgerClocks(known, runner, tuple([] if runner else ["the suite itself"]) + tuple(silent))


def placed(rows: pl.DataFrame, clocks: LedgerClocks) -> pl.DataFrame:
    """Return the rows that tell of training, their times by the clock that times faults."""
    rows = rows.filter(pl.col("kind") != CLOCK)
    shifts = {name: clocks.shift_ns(name) for name in clocks.hosts}
    if not any(shifts.values()):
        return rows
    shift = WHO.replace_strict(shifts, default=0, return_dtype=pl.Int64)
    return rows.with_columns(pl.col("t_ns") + shift)


def _asked(rows: pl.DataFrame) -> dict[str, HostClock]:
    """Return what each host found when it asked; how far several answers lie apart is part of the error."""
    found: dict[str, list[tuple[int, int]]] = {}
    for who, detail in rows.select(WHO.alias("who"), "detail").iter_rows():
        told = detail_of(detail)
        offset_ns, error_ns = told.get("offset_ns"), told.get("error_ns")
        if isinstance(offset_ns, int) and isinstance(error_ns, int):
            found.setdefault(who, []).append((error_ns, offset_ns))
    return {who: _surest(answers) for who, answers in found.items()}


def _surest(answers: list[tuple[int, int]]) -> HostClock:
    error_ns, offset_ns = min(answers)
    return HostClock(offset_ns, error_ns + max(abs(other - offset_ns) for _, other in answers), asked=True)


def _bounds(rows: pl.DataFrame) -> dict[str, HostClock | None]:
    """Return, by host, what the receipt of its rows allows at most, and what that may be wrong by; None: no receipt is known."""
    late, spell = pl.col("received_ns") - pl.col("t_ns"), pl.col("received_ns") // SPELL_NS
    spells = rows.group_by(WHO.alias("who"), spell.alias("spell")).agg(late.min().alias("least"), late.count().alias("rows"))
    moved = spells.filter(pl.col("rows") >= FEWEST_ROWS).group_by("who").agg(pl.col("least").max().alias("moved"))
    found = rows.group_by(WHO.alias("who")).agg(late.min().alias("least"), late.median().cast(pl.Int64).alias("usual"))
    each = found.join(moved, on="who", how="left").select("who", "least", pl.max_horizontal("usual", "moved")).iter_rows()
    return {who: None if least is None else HostClock(least, latest - least, asked=False) for who, least, latest in each}


def _host(asked: HostClock | None, bound: HostClock | None) -> HostClock | None:
    """Return what is known of a host; what it found when it asked is wrong by so much as a row would have arrived before it was written."""
    if asked is None or bound is None:
        return asked or bound
    return asked._replace(error_ns=max(asked.error_ns, asked.offset_ns - bound.offset_ns))
