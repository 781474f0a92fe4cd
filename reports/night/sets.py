"""Which trials are one set: those of one experiment that met the same platform. Others are shown apart, and the page says why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from history.plan import Plan
from reports.model import Trial
from verdict.words import count, listed

Run = tuple[Plan, Trial]


def sets_of(runs: Iterable[Run]) -> list[tuple[list[Run], str]]:
    """Return the sets of trials among ``runs``, each with the sentence that says why it is apart (empty: it is the only one).

    Runs of older plans do not say what the platform was: those of one experiment are one set.
    """
    sets: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for plan, trial in runs:
        sets[plan.experiment.id, plan.platform_digest].append((plan, trial))
    return [
        (of_set, _why([other for key, other in sets.items() if key[0] == name and other is not of_set], of_set))
        for (name, _), of_set in sets.items()
    ]


def _why(others: Sequence[list[Run]], of_set: list[Run]) -> str:
    """Say why ``of_set`` is no set with ``others``, which are of the same experiment."""
    if not others:
        return ""
    ours = of_set[0][0].platform
    theirs = [other[0][0].platform for other in others]
    trials = count(sum(len(other) for other in others), "other trial")
    if not ours or not all(theirs):
        return f"Shown apart from {trials} of this experiment: older runs do not say on which platform they were."
    differing = sorted({part for their in theirs for part in {*ours, *their} if ours.get(part) != their.get(part)})
    return f"Shown apart from {trials} of this experiment: the platform was another ({listed(differing)})."
