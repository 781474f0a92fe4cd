"""Check ``watched``: how much of a fault that lasts was watched. What fills slowly, a queue or a cache, is felt late."""

from __future__ import annotations

from history.kinds import EVERY
from history.result import Check
from verdict.case import Case
from verdict.shared.registry import Role, check
from verdict.shared.results import Figures, inconclusive, passed
from verdict.words import number, plain, seconds


@check(EVERY, Role.OWN, title="How long it was watched")
def watched(case: Case) -> Check | None:
    """Check that a fault that lasts was watched for as long as the plan says, and say how much of it was.

    The full profile watches to the fault's end and a hold beyond. The smoke profile may end once all is well: then impact that comes later
    is not seen, and the sentence of the verdict says so.
    """
    timers, recovery = case.run.plan.timers, case.recovery
    if recovery is None or not timers.fault_s:
        return None
    seen_s = (recovery.watched_ns - recovery.fault_ns) / 1e9
    figures = Figures(measured=seen_s, budget=timers.fault_s, unit="s")
    if seen_s < timers.fault_s:
        said = f"Watched {number(seen_s)} of the {plain(timers.fault_s)} that the fault lasted; what began later was not seen."
    else:
        said = f"Watched to the end of the fault, which lasted {plain(timers.fault_s)}, and {seconds(seen_s - timers.fault_s)} beyond."
    if seen_s < timers.watch_s:
        return inconclusive("watched", f"{said} The plan says {plain(timers.watch_s)}.", **figures)
    return passed("watched", said, **figures)
