"""Which earlier nights an experiment may be compared with, and why not with the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from nights.record import Conditions, RunRecord

_SAME = {
    "target": "another target",
    "workload": "another class of workload",
    "offered": "another load, SLO or job",
    "profile": "another profile",
    "seed_policy": "another seed policy",
    "digest": "the experiment was another",
}
NOT_NOTED = "an older run, which does not say how its seed was chosen"
NO_DIGESTS = "digests of images and manifests were not recorded"
NOT_PASSED = "it did not pass then"
INCOMPLETE = "it was interrupted then"
Trials = tuple[RunRecord, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """The comparable nights of one experiment, oldest first, and how many others were left out, by reason."""

    nights: tuple[Trials, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)


def why_not(now: Conditions, then: Conditions) -> str:
    """Return why two runs of one experiment cannot be compared; empty: they can. What the platform is made of may differ, and is said."""
    if not now.platform or not then.platform:
        return NO_DIGESTS
    if not now.seed_policy or not then.seed_policy:
        return NOT_NOTED
    return differ(now, then)


def differ(now: Conditions, then: Conditions, but: Set[str] = frozenset()) -> str:
    """Return what was another between two runs of one experiment, apart from the conditions called ``but``; empty: nothing."""
    return next((words for name, words in _SAME.items() if name not in but and getattr(now, name) != getattr(then, name)), "")


def past_of(tonight: Trials, nights: Sequence[Trials]) -> Past:
    """Return those of ``nights`` (trials of this experiment, oldest first) that say how it usually goes.

    A night in which it did not pass is no part of what is usual: it would widen the spread and hide the next regression.
    """
    usable: list[Trials] = []
    reasons: Counter[str] = Counter()
    for trials in nights:
        reason = next((why for run in trials if (why := _unusable(tonight[0], run))), "")
        if reason:
            reasons[reason] += 1
        else:
            usable.append(trials)
    return Past(tuple(usable), dict(reasons))


def _unusable(now: RunRecord, then: RunRecord) -> str:
    if why := why_not(now.conditions, then.conditions):
        return why
    if not then.complete:
        return INCOMPLETE
    return "" if then.counts_as == "PASS" else NOT_PASSED


def parts_changed(now: Conditions, then: Conditions) -> tuple[str, ...]:
    """Return the parts of the platform whose digests differ, sorted."""
    return tuple(sorted(part for part in {*now.platform, *then.platform} if now.platform.get(part) != then.platform.get(part)))


def by_experiment(runs: Sequence[RunRecord]) -> list[Trials]:
    """Return the trials of each experiment, in the order in which they come; of one night and one target."""
    found: dict[tuple[str, str], list[RunRecord]] = {}
    for run in runs:
        found.setdefault((run.conditions.target, run.experiment), []).append(run)
    return [tuple(trials) for trials in found.values()]
