"""Run folders in, :class:`reports.model.Report` out: grouped, ordered, counted. Verdicts are taken as they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from history.budgets import written
from history.errors import HistoryError
from history.plan import Plan
from history.result import RANK, Verdict, worst
from history.workloads import RequestsPlan, WorkloadPlan
from reports.model import Definition, Experiment, NotTested, Report, RunInfo, Trial
from reports.retries import Met, compare, met
from reports.risk import Risk
from reports.sentences import headline, summary_of
from reports.sets import sets_of
from reports.text import iso
from reports.trial import read_judged, tightest, trial_of
from reports.weaknesses import weaknesses_of
from verdict.definitions import definitions


@dataclass(frozen=True, slots=True)
class Context:
    """What the run folders do not know about the night: how it was started, and what was left out and why."""

    title: str = "Aftershock"
    command: str = ""
    commit: str | None = None  # default: as the runs' plans say
    not_tested: tuple[NotTested, ...] = ()
    risks: tuple[Risk, ...] = ()


def build(run_dirs: Sequence[Path], context: Context | None = None) -> Report:
    """Read and arrange ``run_dirs``; a run that cannot be read is listed under ``not_tested`` with its sentence."""
    context = context or Context()
    plans: list[Plan] = []
    trials: list[tuple[Plan, Trial]] = []
    unreadable: list[NotTested] = []
    compared: list[Met | None] = []
    for path in run_dirs:
        try:
            judged = read_judged(path)
        except HistoryError as error:
            unreadable.append(NotTested(id=path.name, kind="unreadable", reason=str(error)))
            continue
        plans.append(judged.plan)
        if judged.verdict.complete:
            compared.append(met(judged.case, judged.verdict.verdict))
        trials.append((judged.plan, trial_of(judged)))
    experiments = tuple(sorted((experiment_of(runs, apart) for runs, apart in sets_of(trials)), key=order))
    not_tested = (*unreadable, *context.not_tested)
    return Report(
        run=run_info(plans, experiments, context),
        verdict=overall(experiments, not_tested),
        sentence=headline(experiments, not_tested),
        summary=summary_of(experiments, not_tested),
        experiments=experiments,
        retries=compare(compared),
        risks=context.risks,
        weaknesses=weaknesses_of(plans, experiments, not_tested),
        not_tested=not_tested,
        definitions=tuple(Definition(name=name, text=text) for name, text in definitions()),
    )


def overall(experiments: Sequence[Experiment], not_tested: Sequence[NotTested]) -> Verdict:
    """Return the worst of what the experiments count as; what was refused or cannot be read is not a PASS."""
    unknown = [Verdict.INCONCLUSIVE for item in not_tested if item.kind != "skipped"]
    return worst([*(experiment.counts_as for experiment in experiments), *unknown])


def order(item: Experiment) -> tuple[int, float, str]:
    """Sort key: FAIL, INCONCLUSIVE, PASS; within each the tightest margin first."""
    return -RANK[item.counts_as], math.inf if item.margin is None else item.margin, item.id


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
