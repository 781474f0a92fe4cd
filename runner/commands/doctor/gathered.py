"""The same finding of several experiments, as one line: they differ in whose pod or node stands in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator

from history.plan import ResolvedTarget
from runner.commands.doctor.of_experiments import Outcome
from runner.commands.doctor.rights import names
from runner.findings import About, Finding, Kind, Refusal
from safety.blast_radius import UNCONSENTED

SEE = "see above: {0}"
WORD = re.compile(r"[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?")  # as a pod or a node may be called


def masking(objects: Collection[str]) -> Callable[[str], str]:
    """Return a function that hides these names of pods and nodes in a text, so that texts about any of them are alike."""
    known = frozenset(objects)
    return lambda text: WORD.sub(lambda word: "…" if word[0] in known else word[0], text)


def gathered(found: Iterable[tuple[str, Finding]], mask: Callable[[str], str]) -> Iterator[tuple[list[str], Finding]]:
    """Yield each finding once, the first of those that are alike, with the experiments that it is of. What works is shown as it is."""
    alike: dict[tuple[About, Kind, str], tuple[list[str], Finding]] = {}
    for name, finding in found:
        text = finding.text if finding.kind is Kind.WORKS else mask(finding.text)
        alike.setdefault((finding.about, finding.kind, text), ([], finding))[0].append(name)
    yield from alike.values()


def of_refusals(refusals: Iterable[Refusal], *, rights_missing: bool) -> Iterator[Finding]:
    """Yield what checks refused, a sentence each; what only says that a right is missing is said under rights."""
    for refusal in refusals:
        if not (rights_missing and refusal.forbidden):
            yield from (Finding(refusal.about, Kind.REFUSED, part) for part in refusal.parts)


def about_experiments(
    outcomes: Iterable[Outcome], lacking: Collection[str], above: Collection[About], mask: Callable[[str], str]
) -> Iterator[tuple[list[str], Finding]]:
    """Yield for each experiment, or for all that fare alike, whether it can run, and of which experiments that is said.

    Args:
        outcomes: what was found of each.
        lacking: those whose rights are missing.
        above: what refuses every run on this target.
        mask: as of :func:`masking`.

    """
    found = [(outcome.name, _of(outcome, above, rights_missing=outcome.name in lacking)) for outcome in outcomes]
    yield from ((who, finding._replace(text=f"{names(who)}: {finding.text}")) for who, finding in gathered(found, mask))


def _of(outcome: Outcome, above: Collection[About], *, rights_missing: bool) -> Finding:
    """Return whether one experiment can run, and if not, why."""
    refused = of_refusals(outcome.own.refusals, rights_missing=rights_missing)
    against = list(dict.fromkeys(_short(finding.text, outcome) for finding in refused))
    shared = {*([About.RIGHTS] if rights_missing else []), *above}
    shared |= {finding.about for finding in of_refusals(outcome.shared, rights_missing=rights_missing)}
    if against:
        return Finding(About.EXPERIMENTS, Kind.REFUSED, "; ".join(against))
    if shared:
        return Finding(About.EXPERIMENTS, Kind.REFUSED, SEE.format(", ".join(one for one in About if one in shared)))
    return Finding(About.EXPERIMENTS, Kind.WORKS, _hits(outcome))


def _short(text: str, outcome: Outcome) -> str:
    """Return a refusal as its experiment's line has it: what stands above is not said again."""
    if text in risks(outcome):
        return "its role is a single point of failure, see above: roles"
    return "what it hits has not consented, see above: cluster" if UNCONSENTED in text else text


def risks(outcome: Outcome) -> list[str]:
    """Return the weaknesses of the platform that the refusals of one experiment show."""
    return [risk for refusal in outcome.own.refusals for risk in getattr(refusal.error, "risks", ())]


def _hits(outcome: Outcome) -> str:
    """Return what an experiment would hit, for instance: another run may choose others."""
    if outcome.prepared is not None and not outcome.prepared.faults:
        return "nothing is injected"
    hit = ", ".join(_object(one) for one in outcome.aimed.all) if outcome.aimed is not None else ""
    return f"would hit {hit}, or another" if hit else "hits what the run itself makes"


def _object(target: ResolvedTarget) -> str:
    where = f" on {target.node}" if target.node and target.node != target.name else ""
    return f"{target.kind.lower()} {target.name}{where}"
