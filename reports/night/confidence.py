"""What the verdicts of a night rest on, in a sentence: how much was run, how often, how, and what was substituted."""

from __future__ import annotations

from collections.abc import Sequence

from history.plan import Plan
from history.result import Verdict
from reports.coverage import AtHand
from reports.model import Experiment
from verdict.words import count, listed

SUPPORTED = 0.05
"""One minus the confidence with which n passes of n support a share."""


def confidence_of(experiments: Sequence[Experiment], plans: Sequence[Plan], known: Sequence[AtHand]) -> str:
    """Return experiments of how many, trials and what they and failures support, profile, substitutes; empty: no run can be shown."""
    if not experiments:
        return ""
    ids = {one.id for one in experiments}
    of = f" of {len({one.id for one in known} | ids)}" if known else ""
    profiles = listed(dict.fromkeys(plan.profile for plan in plans))
    substitutes = {f"{what} ({how})" for plan in plans for what, how in plan.target.fidelity.items()}
    said = f"Substituted: {listed(sorted(substitutes))}." if substitutes else "The target file names no substitute."
    return f"{len(ids)}{of} experiments, {_trials(experiments)}{_failures(experiments)} Profile {profiles}. {said}"


def _failures(experiments: Sequence[Experiment]) -> str:
    """Say what failures stand on, if there are any, and nothing else of these runs is in doubt."""
    failed = [trial for one in experiments for trial in one.trials if trial.verdict is Verdict.FAIL]
    if not failed or any(check.verdict is Verdict.INCONCLUSIVE for trial in failed for check in trial.checks):
        return ""
    return " A failure was measured: the load was offered, the fault was seen to act, and the record is complete."


def _trials(experiments: Sequence[Experiment]) -> str:
    """Say how often each experiment was run, and what a pass means then."""
    numbers = [len(one.trials) for one in experiments]
    if max(numbers) == 1:
        return "one trial each: a pass says that the platform can survive such a fault, not how often it does."
    least = min(numbers)
    each = f"{least} trials" if least == max(numbers) else f"{least} to {max(numbers)} trials"
    share = round(100 * SUPPORTED ** (1 / least))
    return f"{each} each, {count(sum(numbers), 'run')}: where all held, at least {share} % of such faults are survived (95 % confidence)."
