"""Run folders in, :class:`reports.model.Report` out: grouped, ordered, counted. Verdicts are taken as they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from history.budgets import written
from history.errors import HistoryError
from history.plan import Plan
from history.result import RANK, Verdict, worst
from history.workloads import RequestsPlan, WorkloadPlan
from reports.coverage import AtHand
from reports.failure import Release
from reports.known import KnownFail, known_sentence, waived_runs
from reports.model import Definition, Experiment, NotTested, Report, RunInfo, Trial
from reports.night.causes import failures_of
from reports.night.confidence import confidence_of
from reports.night.harm import by_harm, harm_of, worst_trial
from reports.night.matrix import coverage_of
from reports.night.sentences import headline, summary_of
from reports.night.sets import sets_of
from reports.night.weaknesses import weaknesses_of
from reports.past import Past
from reports.platform import revisions_of
from reports.retries import Met, compare, met
from reports.risk import Risk
from reports.text import iso
from reports.time_used import time_used
from reports.trial import read_judged, tightest, trial_of
from verdict.definitions import definitions
from verdict.release import release_advice, release_rule


@dataclass(frozen=True, slots=True)
class Context:
    """What the run folders do not know about the night: how it was started, and what was left out and why."""

    title: str = "Aftershock"
    command: str = ""
    commit: str | None = None  # default: as the runs' plans say
    not_tested: tuple[NotTested, ...] = ()
    risks: tuple[Risk, ...] = ()
    at_hand: tuple[AtHand, ...] = ()  # every experiment that was at hand; empty: nobody says
    past: Past | None = None
    known_fails: tuple[KnownFail, ...] = ()
    waiver_notes: tuple[str, ...] = ()
    incomplete: str = ""  # that not everything was run, and why, in a sentence


def build(run_dirs: Sequence[Path], context: Context | None = None) -> Report:
    """Read and arrange ``run_dirs``; a run that cannot be read is listed under ``not_tested`` with its sentence."""
    context = context or Context()
    trials, compared, unreadable = _read(run_dirs)
    plans = [plan for plan, _ in trials]
    experiments = tuple(sorted((experiment_of(runs, apart) for runs, apart in sets_of(trials)), key=order))
    not_tested = (*unreadable, *context.not_tested)
    known = waived_runs(context.known_fails)
    counted = tuple(one for one in experiments if not is_waived(one, known))
    run = run_info(plans, experiments, context)
    harm = by_harm(counted, not_tested) + known_sentence(context.known_fails) if counted or not known else ""
    ahead = f"{context.incomplete} " if context.incomplete else ""
    return Report(
        run=run,
        verdict=worst([overall(experiments, not_tested, known), *([Verdict.INCONCLUSIVE] if context.incomplete else [])]),
        incomplete=context.incomplete,
        sentence=ahead + (headline(counted, not_tested) if counted or not known else ONLY_KNOWN) + known_sentence(context.known_fails),
        summary=summary_of(experiments, not_tested),
        harm=ahead + harm if harm else "",
        confidence=confidence_of(experiments, plans, context.at_hand),
        release=release_of(counted, not_tested, len(experiments) - len(counted), incomplete=bool(context.incomplete)),
        failures=failures_of(experiments),
        experiments=experiments,
        coverage=coverage_of(plans, experiments, not_tested, context.at_hand),
        platforms=revisions_of(plans),
        time=time_used([(trial.needed_s or 0.0, trial.spent) for _, trial in trials], run.duration_s),
        retries=compare(compared),
        risks=context.risks,
        weaknesses=weaknesses_of(plans, experiments, not_tested),
        not_tested=not_tested,
        known_fails=context.known_fails,
        waiver_notes=context.waiver_notes,
        past=context.past,
        definitions=tuple(Definition(name=name, text=text) for name, text in definitions()),
    )


def _read(run_dirs: Sequence[Path]) -> tuple[list[tuple[Plan, Trial]], list[Met | None], list[NotTested]]:
    """Return the runs that can be read, what of each is compared by its clients' retries, and the runs that cannot."""
    trials: list[tuple[Plan, Trial]] = []
    compared: list[Met | None] = []
    unreadable: list[NotTested] = []
    for path in run_dirs:
        try:
            judged = read_judged(path)
        except HistoryError as error:
            unreadable.append(NotTested(id=path.name, kind="unreadable", reason=str(error)))
            continue
        if judged.verdict.complete:
            compared.append(met(judged.case, judged.verdict.verdict))
        trials.append((judged.plan, trial_of(judged)))
    return trials, compared, unreadable


def is_waived(experiment: Experiment, known: Set[str]) -> bool:
    """Tell whether an experiment failed in trials alone that a waiver covers (``known``: their run ids)."""
    return experiment.counts_as is Verdict.FAIL and all(
        trial.counts_as is Verdict.PASS or (trial.counts_as is Verdict.FAIL and trial.run_id in known) for trial in experiment.trials
    )


ONLY_KNOWN = "No experiment held or failed but those whose failure is known."


def overall(experiments: Sequence[Experiment], not_tested: Sequence[NotTested], known: Set[str] = frozenset()) -> Verdict:
    """Return the worst of what the experiments count as; what was refused or cannot be read is not a PASS, what is waived no FAIL."""
    unknown = [Verdict.INCONCLUSIVE for item in not_tested if item.kind != "skipped"]
    return worst([*(Verdict.PASS if is_waived(one, known) else one.counts_as for one in experiments), *unknown])


def release_of(experiments: Sequence[Experiment], not_tested: Sequence[NotTested], waived: int = 0, *, incomplete: bool = False) -> Release:
    """Return the advice on a release with its rule; what the target has nothing for holds none up, ``waived`` failures are said.

    An ``incomplete`` night lacks something, even where it is only a trial of an experiment that has others.
    """
    missing = max(sum(item.kind != "skipped" or item.asked for item in not_tested), int(incomplete))
    found = release_advice((one.counts_as for one in experiments), missing, waived)
    return Release(advice=found.advice, because=found.because, rule=release_rule())


def order(item: Experiment) -> tuple[int, tuple[float, ...], float, str]:
    """Sort key: FAIL and INCONCLUSIVE by harm, the worst first; then PASS, the tightest margin first."""
    harm = () if item.counts_as is Verdict.PASS else tuple(-part for part in harm_of(worst_trial(item)).key)
    return -RANK[item.counts_as], harm, math.inf if item.margin is None else item.margin, item.id


def experiment_of(runs: Sequence[tuple[Plan, Trial]], apart: str = "") -> Experiment:
    """Group the trials of one set, worst first: by verdict, then by the longest RTO. ``apart`` says why others are no part of it."""
    ordered = sorted(runs, key=lambda run: (-RANK[run[1].counts_as], -(run[1].rto_s or 0.0), run[1].trial))
    plan, first = ordered[0]
    trials = tuple(trial for _, trial in ordered)
    margin, check = min((tightest(trial.checks) for trial in trials if trial.margin is not None), default=(None, ""))
    return Experiment(
        id=plan.experiment.id,
        title=plan.experiment.title.strip() or plan.experiment.id,
        tags=plan.experiment.tags,
        verdict=first.verdict,
        counts_as=first.counts_as,
        sentence=first.sentence,
        description=plan.experiment.description,
        hypothesis=plan.experiment.hypothesis,
        hypothesis_expects=plan.hypothesis_expects,
        hypothesis_left_out=plan.hypothesis_left_out,
        health_asked=plan.health_asked,
        workload=", ".join(one.name for one in plan.workloads),
        profile=plan.profile,
        expect=plan.expect,
        supports=supports(trials),
        platform=plan.platform_digest,
        apart=apart,
        margin=margin,
        margin_check=check,
        trials=trials,
    )


def supports(trials: Sequence[Trial]) -> str:
    """Say what the passes support: n of n passes bound the share of such faults survived by 0.05^(1/n) (95 % confidence).

    Source: the exact (Clopper-Pearson) lower bound for n successes of n.
    """
    n, held = len(trials), sum(trial.counts_as is Verdict.PASS for trial in trials)
    if held < n:
        return f"{held} of {n} held; the worst trial counts"
    return f"{n} of {n}: at least {round(100 * 0.05 ** (1 / n))} % of such faults, 95 % confidence"


def run_info(plans: Sequence[Plan], experiments: Sequence[Experiment], context: Context) -> RunInfo:
    """Describe the night: every value that the plans agree on once, and all of them where they differ."""
    trials = [trial for experiment in experiments for trial in experiment.trials]
    started = min((trial.started for trial in trials), default=None)
    ended_s = max((_epoch(trial.started) + trial.duration_s for trial in trials), default=None)
    versions = {name: version for plan in plans for name, version in plan.versions.items()}
    return RunInfo(
        id=min((plan.run_id for plan in plans), default=""),
        title=context.title,
        started=started,
        finished=None if ended_s is None else iso(int(ended_s * 1e9)),
        duration_s=None if ended_s is None or started is None else round(ended_s - _epoch(started), 1),
        target=_distinct(plan.target.name for plan in plans),
        context=_distinct(plan.target.context for plan in plans),
        server=_distinct(plan.target.server for plan in plans),
        namespaces=_distinct(name for plan in plans for name in plan.target.namespaces),
        fidelity={key: text for plan in plans for key, text in plan.target.fidelity.items()},
        seed=tuple(dict.fromkeys(plan.seed for plan in plans)),
        profile=_distinct(plan.profile for plan in plans),
        load=_distinct(_driven_by(workload) for plan in plans for workload in plan.workloads),
        answers=_distinct(_answers(users) for plan in plans if (users := plan.of(RequestsPlan))),
        commit=context.commit or versions.get("commit"),
        versions=versions,
        command=context.command,
    )


def _driven_by(workload: WorkloadPlan) -> str:
    return f"{workload.text()} ({workload.name})"


def _answers(users: RequestsPlan) -> str:
    """Return what was checked of the answers of a class, and which budget nobody could judge."""
    left_out = users.answers.unknown and users.budgets.rpo_requests is not None
    unjudged = f", and budget {written('rpo_requests')} is left out of the verdict" if left_out else ""
    return f"{users.answers.text}{unjudged} ({users.name})"


def _epoch(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
