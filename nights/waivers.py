"""Waivers: known FAILs that somebody owns until a day, up to a value. Pure: what a waiver says of a verdict's checks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from history.result import Check, Verdict
from history.values import Written, parse_duration, parse_share
from nights.changes import at_least


def parse_accepted(value: Any) -> float:  # noqa: ANN401 - what a file says
    """Return a value in the check's own unit: ``90s`` in seconds, ``97%`` as 0.97, a number as it is. Raises ValueError: it is none."""
    text = str(value).strip()
    if text.endswith("%"):
        return parse_share(text)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else parse_duration(text)


class Waiver(Written):
    """One known FAIL: of which check, whose it is, where it is worked on, until when, and how bad it may be meanwhile."""

    experiment: str = Field(min_length=1)  # its id: serving/gpu-lost
    check: str = Field(min_length=1)  # rto, availability, evidence …
    target: str = ""  # name of a target; empty: any
    workload: str = ""  # class of workload; needed where several drive the run, and the check is of one of them
    owner: str = Field(min_length=1)
    ticket: str = Field(min_length=1)
    expires: date  # the last day on which it holds (UTC)
    accepted: Annotated[float, BeforeValidator(parse_accepted)] | None = None  # the worst value; needed where the check has a number

    @property
    def name(self) -> str:
        """Return whose it is and until when, for a sentence."""
        return f"{self.ticket} of {self.owner}, until {self.expires.isoformat()}"


class Waivers(Written):
    """``waivers.yaml``."""

    waivers: tuple[Waiver, ...]


NEVER = frozenset({"heal"})
"""Checks that no waiver covers."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What waivers say of one verdict: sentences on checks that they cover, and on waivers that do not hold any more."""

    covered: tuple[str, ...] = ()
    red: tuple[str, ...] = ()
    left: Verdict = Verdict.PASS  # the worst of the checks that no waiver covers

    @property
    def waived(self) -> bool:
        """Tell whether nothing but known FAILs stands against the verdict."""
        return bool(self.covered) and not self.red and self.left is Verdict.PASS


def weigh(checks: Sequence[Check], experiment: str, target: str, waivers: Sequence[Waiver], today: date, *, workload: str = "") -> Weighed:
    """Hold the ``checks`` that are FAIL against the waivers of this experiment; each FAIL takes a waiver of its own.

    ``workload``: the class that drives the run, where one alone does. Of several waivers of one check the last that the file names holds.
    """
    ours = [one for one in waivers if one.experiment == experiment and one.target in {"", target}]
    covered, red, left = [], [], [Verdict.PASS]
    for check in checks:
        waiver = _waiver_of(check, ours, workload) if check.verdict is Verdict.FAIL else None
        if waiver is None:
            left.append(check.verdict)
        elif why := _why_red(check, waiver, today):
            red.append(f"{check.label}: the waiver {waiver.name} {why}")
            left.append(check.verdict)
        else:
            covered.append(f"{check.label}: known, {waiver.name}")
    return Weighed(tuple(covered), tuple(red), max(left, key=(Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL).index))


def _waiver_of(check: Check, waivers: Sequence[Waiver], workload: str) -> Waiver | None:
    """Return the waiver of a check: the last that names its workload, else the last that names none."""
    fitting = [one for one in waivers if one.check == check.name and one.workload in {"", check.workload or workload}]
    return max(reversed(fitting), key=lambda one: bool(one.workload), default=None)


def _why_red(check: Check, waiver: Waiver, today: date) -> str:
    """Return why ``waiver`` does not cover a FAIL; empty: it does."""
    if why := _why_not_at_all(check, waiver, today):
        return why
    if check.measured is None:
        return "" if waiver.accepted is None else f"accepts {waiver.accepted:g} {check.unit}".rstrip() + ", and no value was measured"
    if waiver.accepted is None:
        return f"accepts no value, and {check.measured:g} {check.unit}".rstrip() + " was measured; write accepted"
    smaller_is_worse = at_least(check.name)
    near = check.high if smaller_is_worse else check.low
    best = check.measured if near is None else near  # as good as the recorded interval allows
    if best < waiver.accepted if smaller_is_worse else best > waiver.accepted:
        return f"accepts {waiver.accepted:g} {check.unit}".rstrip() + f", and {check.measured:g} was measured, which is worse"
    return (
        f"accepts {waiver.accepted:g} {check.unit}".rstrip() + ", and how much it is beyond the end of the record is not known"
        if check.censored
        else ""
    )


def _why_not_at_all(check: Check, waiver: Waiver, today: date) -> str:
    """Return why ``waiver`` covers no FAIL of this check, whatever was measured; empty: it may."""
    if today > waiver.expires:
        return "has expired"
    if check.workload and not waiver.workload:
        return f"does not say of which workload, and several drive this run; write workload: {check.workload}"
    return "cannot cover it: a fault that outlives its run is no known failure" if check.name in NEVER else ""


def not_needed(waivers: Sequence[Waiver], target: str, passed: Collection[tuple[str, str, str]]) -> list[str]:
    """Return a sentence on each waiver for ``target`` whose check was PASS now; ``passed``: (experiment, check, class of workload)."""
    return [
        f"{one.experiment}: {one.check} passed; the waiver {one.name} may not be needed any more"
        for one in waivers
        if one.target in {"", target} and any(_is_of(one, *key) for key in passed)
    ]


def _is_of(waiver: Waiver, experiment: str, check: str, workload: str) -> bool:
    return (waiver.experiment, waiver.check) == (experiment, check) and waiver.workload in {"", workload}
