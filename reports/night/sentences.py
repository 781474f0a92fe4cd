"""The report's headline: what held, what did not, how close it was. Counts and quotations, never a score."""

from __future__ import annotations

from collections.abc import Sequence

from history.result import Verdict
from reports import names
from reports.model import Experiment, NotTested
from reports.text import one_line
from verdict.words import count, number, percent

LONGEST = 400
"""Characters of a sentence that the headline quotes; the experiment below shows it whole."""
VERB = {"refused": "was refused before any fault", "unreadable": "cannot be read"}


def headline(experiments: Sequence[Experiment], not_tested: Sequence[NotTested]) -> str:
    """Return the sentence beside the overall verdict. ``experiments`` come worst first."""
    total = count(len(experiments), "experiment")
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        like = [e for e in experiments if e.counts_as is verdict]
        if like:
            said = "inconclusive" if verdict is Verdict.INCONCLUSIVE else _failed(like)
            rest = f" Also {said}: {', '.join(e.id for e in like[1:])}." if like[1:] else ""
            return f"{len(like)} of {total} {said}: {like[0].id}: {one_line(why(like[0]), LONGEST)}{rest}"
    missing = [item for item in not_tested if item.kind != "skipped"]
    if missing:
        return f"{total} held, but {missing[0].id} {VERB[missing[0].kind]}: {one_line(missing[0].reason, LONGEST)}"
    if not experiments:
        first = f"{not_tested[0].id}: {one_line(not_tested[0].reason, LONGEST)}" if not_tested else ""
        return f"Nothing was tested: {first}" if first else "No run was given, so nothing is known."
    held = f"All {total} held" if len(experiments) > 1 else "The experiment held"
    return f"{held}{_caught(experiments)}{_hurt(experiments)}."


def why(item: Experiment) -> str:
    """Return the sentence of ``item``, or what was expected and did not come."""
    if item.expect.verdict == "PASS" or item.counts_as is Verdict.INCONCLUSIVE:
        return item.sentence
    by = f" by {item.expect.check}" if item.expect.check else ""
    return f"{item.expect.verdict}{by} was expected, a seeded weakness, and it came out {item.verdict}: {item.sentence}"


def _failed(experiments: Sequence[Experiment]) -> str:
    checks = [check for item in experiments for check in item.trials[0].checks if check.verdict is Verdict.FAIL]
    return "over budget" if checks and all(names.judges_budget(check.name) for check in checks) else "failed"


def _caught(experiments: Sequence[Experiment]) -> str:
    weak = sum(e.expect.verdict != "PASS" for e in experiments)
    return f"; {count(weak, 'seeded weakness', 'seeded weaknesses')} caught as expected" if weak else ""


def _hurt(experiments: Sequence[Experiment]) -> str:
    """Return that answers under way were hurt although all held: nobody shall read that users noticed nothing."""
    hurt = [e for e in experiments if any(trial.value(names.INTERRUPTED) for trial in e.trials)]
    if not hurt:
        return ""
    most = max((trial for e in hurt for trial in e.trials), key=lambda trial: trial.value(names.INTERRUPTED) or 0)
    of = f"{number(most.value(names.INTERRUPTED), 9)} of {number(most.value(names.UNDER_WAY), 9)} answers under way at the fault were hurt"
    return f"; {of}" if len(experiments) == 1 else f"; in {len(hurt)} of them answers under way were hurt: at most {of}"


def summary_of(experiments: Sequence[Experiment], not_tested: Sequence[NotTested]) -> str:
    """Return the counts and the tightest margin: ``7 of 9 within budget, 1 failed, 1 inconclusive; tightest margin 12 % (id, rto)``."""
    counted = [
        (Verdict.FAIL, "failed"),
        (Verdict.INCONCLUSIVE, "inconclusive"),
    ]
    parts = [f"{sum(e.counts_as is Verdict.PASS for e in experiments)} of {len(experiments)} within budget"]
    for verdict, word in counted:
        number = sum(e.counts_as is verdict for e in experiments)
        parts += [f"{number} {word}"] if number else []
    parts += [f"{len(not_tested)} not tested"] if not_tested else []
    held = [e for e in experiments if e.counts_as is Verdict.PASS and e.expect.verdict == "PASS" and e.margin is not None]
    closest = min(held, key=lambda e: e.margin or 0.0, default=None)
    margin = "" if closest is None else f"; tightest margin {percent(closest.margin)} ({closest.id}, {closest.margin_check})"
    return ", ".join(parts) + margin
