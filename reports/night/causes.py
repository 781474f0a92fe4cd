"""One line for everything that did not hold: what, the likely cause, the evidence, the change. From the advice, else from the record."""

from __future__ import annotations

from collections.abc import Sequence

from history.layout import NO_CAUSE, Advice
from history.result import Verdict
from reports import names
from reports.failure import Failure
from reports.model import Experiment, Trial
from reports.night.harm import harm_of, over_text, worst_trial
from reports.night.sentences import why
from reports.text import one_line, quantity
from verdict.words import number, seconds

LONGEST = 400
MOST_CHECKS = 3
LEAST_S = 1.0  # of false readiness or false health that is worth a line


def failures_of(experiments: Sequence[Experiment]) -> tuple[Failure, ...]:
    """Return a line for each experiment that did not come out as expected, in their order."""
    return tuple(_failure(one) for one in experiments if one.counts_as is not Verdict.PASS)


def _failure(experiment: Experiment) -> Failure:
    trial = worst_trial(experiment)
    cause, change = _likely(trial) if experiment.counts_as is Verdict.FAIL else (one_line(why(experiment), LONGEST), "")
    return Failure(
        experiment=experiment.id,
        title=experiment.title,
        verdict=experiment.counts_as,
        cause=cause,
        evidence=_evidence(trial),
        change=change,
    )


def _evidence(trial: Trial) -> str:
    """Return what failed, measured beside its limit; nothing of a run without a verdict, whose figures cannot be believed."""
    found = [check for check in trial.checks if check.verdict is Verdict.FAIL]
    return "; ".join(over_text(check) for check in found[:MOST_CHECKS])


def _likely(trial: Trial) -> tuple[str, str]:
    """Return the likely cause of a FAIL and what to change (empty: nobody knows)."""
    if trial.advice:
        return _advised(trial.advice[0])
    return _from_record(trial) or (NO_CAUSE if trial.advice is not None else "How the platform is built is not known.", "")


def _advised(advice: Advice) -> tuple[str, str]:
    """Return what was observed and what to do about it: an advice says one, a colon, and the other."""
    observed, colon, change = advice.sentence.rpartition(": ")
    field = f"{advice.where}: {advice.field}"
    return (f"{observed}.", f"{change.rstrip('.')} ({field})") if colon else (advice.sentence, field)


def _from_record(trial: Trial) -> tuple[str, str] | None:
    """Return a cause that the record alone shows, what explains most first."""
    for find in (_wrong, _ready_and_not_serving, _never_taken_out, _late):
        if found := find(trial):
            return found
    return None


def _wrong(trial: Trial) -> tuple[str, str] | None:
    wrong = harm_of(trial).wrong
    if not wrong:
        return None
    if trial.training is not None:
        return f"{number(wrong, 9)} states of training differ from those of the undisturbed run.", "verify what a job goes on from"
    return f"{number(wrong, 9)} answers were whole and wrong.", "let a replica refuse to serve what it cannot verify"


def _ready_and_not_serving(trial: Trial) -> tuple[str, str] | None:
    ready = trial.measured(names.FALSE_READY)
    if ready is None or (ready.value or 0) < LEAST_S:
        return None
    said = f"Kubernetes called {ready.sentence or 'a replica'} Ready for {quantity(ready.value, ready.unit)} in which it did not serve."
    return said, "let the readiness probe ask what users ask"


def _never_taken_out(trial: Trial) -> tuple[str, str] | None:
    green = trial.measured(names.TARGET_GREEN)
    if green is None or (green.value or 0) < LEAST_S or not trial.outages:
        return None
    at_least = "at least " if green.censored else ""
    said = f"The faulted replica's own health stayed green for {at_least}{quantity(green.value, green.unit)}, so it was sent requests."
    return said, "let health fail when nothing is answered, or let the gateway take out who does not answer"


def _late(trial: Trial) -> tuple[str, str] | None:
    """Find that all that was bad was late, and by how much at most."""
    harm, slo, line = harm_of(trial), trial.slo, trial.timeline
    if not harm.late or any((harm.wrong, harm.cut, harm.refused, harm.other)) or slo is None or line is None:
        return None
    after = [ms for i, ms in enumerate(line.fine.max_ms) if ms is not None and line.fine.from_s + (i + 1) * line.fine.width_s > 0]
    over_s = (max(after, default=0.0) - slo.latency_ms) / 1e3
    if over_s <= 0:
        return None
    return f"Nothing was refused, cut or wrong; answers were late by {seconds(over_s)} at most.", ""
