"""What users suffered, in the order in which it hurts: wrong answers, cut ones, not served at all, late ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from history.result import RANK, Check, Verdict
from reports import names
from reports.model import Experiment, NotTested, Trial
from reports.text import one_line, quantity
from verdict.words import count, interval, seconds

WRONG, CUT, LATE, REFUSED = ("bad_wrong",), ("bad_cut", "bad_stalled"), ("bad_late",), ("bad_refused", "bad_error")
OTHER = ("bad_unsent", "bad_unrecorded")
DIFFERING = "states_differing"
"""Of a training job: steps whose state is not that of the undisturbed run."""
LONGEST = 300
MOST = 3


@dataclass(frozen=True, slots=True)
class Harm:
    """What one run did to its users. None: not measured, or it means nothing for what drove the run."""

    wrong: float | None
    cut: float | None
    late: float | None
    refused: float | None
    other: float | None  # requests that the load itself did not send or did not record
    out_s: float  # how long users were not served; 0: no outage, or not measured

    @property
    def key(self) -> tuple[float, float, float, float, float]:
        """Return what harms are ordered by."""
        return self.wrong or 0.0, self.cut or 0.0, self.out_s, self.late or 0.0, self.refused or 0.0


def harm_of(trial: Trial) -> Harm:
    """Return what one run did to its users."""
    wrong = _sum(trial, WRONG)
    return Harm(
        wrong=trial.value(DIFFERING) if wrong is None else wrong,
        cut=_sum(trial, CUT),
        late=_sum(trial, LATE),
        refused=_sum(trial, REFUSED),
        other=_sum(trial, OTHER),
        out_s=trial.rto_s or 0.0,
    )


def worst_trial(experiment: Experiment) -> Trial:
    """Return the trial that counts: the worst verdict, then the most harm."""
    return max(experiment.trials, key=lambda trial: (RANK[trial.counts_as], harm_of(trial).key))


def _sum(trial: Trial, parts: tuple[str, ...]) -> float | None:
    known = [value for name in parts if (value := trial.value(name)) is not None]
    return sum(known) if known else None


def over_text(check: Check) -> str:
    """Return a check against its budget: ``RTO > 93.6 s (limit 10 s)``, ``RPO 4 answers (none allowed)``."""
    unit, label = names.unit(check.name, check.unit), names.label(check.name)
    if check.measured is None:
        return label
    figure = ("> " if check.censored else "") + quantity(check.measured, unit)
    if unit == "s" and check.low is not None and check.high is not None and not check.censored:
        figure = interval(check.low, check.high)
    limit = ""
    if check.budget == 0:
        limit = " (none allowed)"
    elif check.budget is not None:
        limit = f" ({'at least' if names.at_least(check.name) else 'limit'} {quantity(check.budget, unit)})"
    return f"{label} {figure}{limit}"


def out_text(trial: Trial) -> str:
    """Return the time without service: ``52.6 s to 52.8 s (limit 60 s)``, ``> 93.6 s (limit 10 s)``; the limit only if one is set."""
    limit = "" if trial.budgets.rto_s is None else f" (limit {seconds(trial.budgets.rto_s)})"
    if trial.rto_low_s is not None and not trial.rto_censored:
        return interval(trial.rto_low_s, trial.rto_high_s) + limit
    return f"{'> ' if trial.rto_censored else ''}{seconds(trial.rto_s)}{limit}"


def by_harm(experiments: Sequence[Experiment], not_tested: Sequence[NotTested]) -> str:
    """Return the night as one sentence by harm. ``experiments`` come worst first."""
    total, failed = len(experiments), [one for one in experiments if one.counts_as is Verdict.FAIL]
    open_ones = [one for one in experiments if one.counts_as is Verdict.INCONCLUSIVE]
    if failed:
        said = "; ".join(_harms(failed)) or "; ".join(_failed_checks(failed))
        which = f", {failed[0].title}" if len(failed) == 1 else ""
        return f"{len(failed)} of {count(total, 'experiment')} failed{which}: {said}.{_also(open_ones, not_tested)}"
    if open_ones:
        first = f"{open_ones[0].title}: {one_line(open_ones[0].sentence, LONGEST)}"
        return f"Nothing failed, and {len(open_ones)} of {count(total, 'experiment')} inconclusive: {first}"
    if not experiments:
        return ""
    held = f"All {total} experiments held" if total > 1 else "The experiment held"
    within = "; ".join(_harms(experiments))
    weak = sum(one.expect.verdict != "PASS" for one in experiments)
    caught = f" {count(weak, 'seeded weakness was', 'seeded weaknesses were')} caught as expected." if weak else ""
    return f"{held}.{f' Within their budgets: {within}.' if within else ' Users noticed nothing.'}{caught}{_also((), not_tested)}"


def _harms(experiments: Sequence[Experiment]) -> list[str]:
    """Return each harm that was done, worst first, and in which experiments."""
    worst = [(one, worst_trial(one)) for one in experiments]
    users = [(one, trial) for one, trial in worst if trial.training is None]
    out = max((pair for pair in worst if pair[1].outages), key=lambda pair: pair[1].rto_s or 0.0, default=None)
    whom = "" if out is None else "training stood still for" if out[1].training else "users were not served for"
    where = "" if out is None or len(worst) == 1 else f" ({out[0].title})"
    parts = [
        _counted([(one, harm_of(trial).wrong) for one, trial in users], "wrong answer", "wrong answers"),
        _counted([(one, harm_of(trial).wrong) for one, trial in worst if trial.training], "wrong state", "wrong states of training"),
        _counted([(one, harm_of(trial).cut) for one, trial in users], "answer cut", "answers cut"),
        f"{whom} {out_text(out[1])}{where}" if out else "",
        _counted([(one, harm_of(trial).late) for one, trial in users], "answer not in time", "answers not in time"),
        _counted([(one, harm_of(trial).refused) for one, trial in users], "request refused", "requests refused"),
    ]
    return [part for part in parts if part]


def _counted(found: Sequence[tuple[Experiment, float | None]], one: str, many: str) -> str:
    """Return how many there were in all, and where most of them were, if there is a choice; empty: none."""
    hurt = sorted(((value, item) for item, value in found if value), key=lambda pair: -pair[0])
    if not hurt:
        return ""
    more = f" and {len(hurt) - 1} more" if len(hurt) > 1 else ""
    where = f" ({hurt[0][1].title}{more})" if len(found) > 1 else ""
    return f"{count(int(sum(value for value, _ in hurt)), one, many)}{where}"


def _failed_checks(failed: Sequence[Experiment]) -> list[str]:
    """Return what failed where users were not harmed."""
    found = [(one, check) for one in failed for check in worst_trial(one).checks if check.verdict is Verdict.FAIL]
    return [f"{one.title}: {over_text(check)}" for one, check in found[:MOST]] or [one_line(failed[0].sentence, LONGEST)]


def _also(open_ones: Sequence[Experiment], not_tested: Sequence[NotTested]) -> str:
    """Return what has no verdict beside what has one."""
    refused = sum(item.kind != "skipped" for item in not_tested)
    parts = [
        *([f"{len(open_ones)} {'is' if len(open_ones) == 1 else 'are'} inconclusive"] if open_ones else []),
        *([f"{refused} {'was' if refused == 1 else 'were'} refused or cannot be read"] if refused else []),
    ]
    return f" {', '.join(parts)}." if parts else ""
