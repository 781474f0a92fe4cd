"""Claims: what nights have proven, as a lock file, and which of it a change voids. Pure functions of records and of what changed.

A claim rests on the experiment's file, on the target file, and on all lasting roles of the namespaces in which its fault acts or its
workload runs: their images, templates and configuration. Of older runs, which do not say where roles are, it rests on all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pydantic import Field

from history.values import FrozenModel
from nights.comparable import Trials, by_experiment
from nights.record import RTO, Night
from nights.suite_code import NAMES, code_changed

CLAIMS_SCHEMA = 1
TARGET_FILE = "target file"
VERSIONS = ("kubernetes server", "node image", "gpu driver", *NAMES)


class Claim(FrozenModel):
    """One experiment that held, under what."""

    experiment: str
    target: str
    verdict: str  # PASS
    trials: int
    night: str
    proven: date
    expires: date  # the last day on which it holds
    rto_s: float | None = None  # the longest of its trials, with its interval; null: none was measured
    rto_low_s: float | None = None
    rto_high_s: float | None = None
    rto_budget_s: float | None = None
    profile: str
    digest: str  # of the experiment's file
    platform: dict[str, str]  # part -> digest: images, templates, configuration, the target file
    namespaces: tuple[str, ...]  # on whose objects it rests; empty: on all
    versions: dict[str, str]  # Kubernetes, node image, driver, code of faults and verdict, as far as they were read

    def line(self) -> str:
        """Return it for a person."""
        interval = "" if self.rto_s is None else f": RTO {self.rto_s:.3g} s" + (f" of {self.rto_budget_s:g} s" if self.rto_budget_s else "")
        return f"{self.experiment} on {self.target}{interval}, night {self.night}, until {self.expires.isoformat()}"


class Claims(FrozenModel):
    """``claims.lock``, ordered by target and experiment."""

    schema_version: int = Field(default=CLAIMS_SCHEMA)
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangedObject:
    """An object of Kubernetes whose manifest is another; ``namespace`` empty: it names none."""

    kind: str
    namespace: str
    name: str
    file: str


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change touches, as far as it can void a claim."""

    objects: tuple[ChangedObject, ...] = ()
    experiments: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()  # file, why nobody can say what it changes: it voids every claim


def made(nights: Sequence[Night], valid: timedelta) -> Claims:
    """Return what ``nights`` (oldest first) have proven: by the last night of each experiment that was conclusive or had a FAIL."""
    last: dict[tuple[str, str], Trials] = {}
    for trials in (trials for night in nights for trials in by_experiment(night.runs)):
        conclusive = all(run.complete and run.verdict != "INCONCLUSIVE" for run in trials)
        if conclusive or any(run.counts_as == "FAIL" for run in trials):
            last[trials[0].conditions.target, trials[0].experiment] = trials
    held = [trials for _, trials in sorted(last.items()) if all(run.verdict == run.counts_as == "PASS" for run in trials)]
    return Claims(claims=tuple(_claim(trials, valid) for trials in held if trials[0].conditions.platform))


def _claim(trials: Trials, valid: timedelta) -> Claim:
    run, proven = trials[0], datetime.fromtimestamp(max(one.started_ns for one in trials) / 1e9, UTC).date()
    rto = max((value for one in trials if (value := one.value(RTO))), key=lambda value: value.value, default=None)
    namespaces = run.touched if run.namespaces else ()
    return Claim(
        experiment=run.experiment, target=run.conditions.target, verdict=run.verdict, trials=len(trials), night=run.night, proven=proven,
        expires=proven + valid, rto_s=rto.value if rto else None, rto_low_s=rto.low if rto else None, rto_high_s=rto.high if rto else None,
        rto_budget_s=rto.budget if rto else None, profile=run.conditions.profile, digest=run.conditions.digest,
        platform={part: digest for part, digest in sorted(run.conditions.platform.items()) if _rests_on(part, run.namespaces, namespaces)},
        namespaces=namespaces, versions={name: run.versions[name] for name in VERSIONS if name in run.versions},
    )  # fmt: skip


def _rests_on(part: str, where: Mapping[str, str], namespaces: Sequence[str]) -> bool:
    role = part.partition(" of ")[2]
    return not namespaces or role not in where or where[role] in namespaces


def why_void(claim: Claim, changed: Changed, today: date, code: Mapping[str, str]) -> list[str]:
    """Return every reason for which ``claim`` does not hold after the change; none: it does. ``code``: digests of the suite's own."""
    suite = [f"the suite itself changed: {part}" for part in code_changed(code, claim.versions)]
    return [*_expired(claim, today), *_by_change(claim, changed), *suite]


def _expired(claim: Claim, today: date) -> Iterator[str]:
    if today > claim.expires:
        yield f"expired on {claim.expires.isoformat()}"


def _by_change(claim: Claim, changed: Changed) -> Iterator[str]:
    if claim.experiment in changed.experiments:
        yield "the experiment is another"
    if claim.target in changed.targets:
        yield "the target file is another"
    for one in changed.objects:
        if not one.namespace:
            yield f"{one.kind} {one.name} is another and names no namespace ({one.file})"
        elif not claim.namespaces or one.namespace in claim.namespaces:
            yield f"{one.kind} {one.namespace}/{one.name} is another ({one.file})"
    for file, why in changed.unknown:
        yield f"{file}: {why}"


def why_void_live(claim: Claim, platform: Mapping[str, str], versions: Mapping[str, str], today: date) -> list[str]:
    """Return every reason for which ``claim`` does not hold on a platform as it is now: digests of its parts, and what it runs on."""
    parts = [part for part, digest in claim.platform.items() if platform.get(part) != digest]
    others = [name for name, said in claim.versions.items() if versions.get(name) != said]
    said = [f"{name} is {versions.get(name) or 'not known'}, was {claim.versions[name]}" for name in others]
    return [*_expired(claim, today), *(f"{part}: another digest, or it is gone" for part in parts), *said]
