"""One judged run folder as the report shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from pydantic import ValidationError

from history.errors import HistoryError
from history.plan import Plan
from history.reader import read_run
from history.result import Check, RunVerdict, counts_as, worst
from history.schema import EventKind
from history.workloads import RequestsPlan
from reports import names
from reports.instruments import Fault, LoadQuality, TouchedObject
from reports.kept import ErrorSeen, SceneFile
from reports.model import OutageSpan, Trial
from reports.text import iso, one_line
from reports.time_used import needed_s, spent_s
from reports.trial.excerpt import excerpt_of
from reports.trial.timeline import timeline_of
from reports.trial.training import progress_of
from verdict.case import Case, case_of
from verdict.size import refuse_if_too_large

MOST_ERRORS = 12
MOST_SCENE_FILES = 200


@dataclass(frozen=True, slots=True)
class Judged:
    """A run and its verdict. ``zero_ns`` is t_fault; a run without one counts from its first arrival."""

    case: Case
    verdict: RunVerdict
    zero_ns: int

    @property
    def plan(self) -> Plan:
        """The run's plan."""
        return self.case.run.plan


def read_judged(path: Path) -> Judged:
    """Read the run folder ``path`` and its verdict.

    Raises:
        HistoryError: the run or its verdict cannot be read; the sentence says which and what to do.

    """
    refuse_if_too_large(path)
    run, file = read_run(path), path / "verdict.json"
    if not file.exists():
        raise HistoryError(f"{path}: verdict.json is missing, the run was not judged; judge it: python -m verdict {path}")
    try:
        verdict = RunVerdict.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise HistoryError(
            f"{file}: not a verdict this suite reads ({one_line(str(error))}); judge the run again: python -m verdict {path}"
        ) from error
    if verdict.run_id != run.plan.run_id:
        raise HistoryError(
            f"{file}: the verdict is of run {verdict.run_id}, the plan of {run.plan.run_id}; judge the run again: python -m verdict {path}"
        )
    case = case_of(run)
    first_ns = int(case.arrivals.t_ns[0]) if len(case.arrivals) else run.plan.created_ns
    return Judged(case, verdict, case.recovery.fault_ns if case.recovery else first_ns)


def trial_of(judged: Judged) -> Trial:
    """Return what the report shows of one run."""
    run, verdict, plan = judged.case.run, judged.verdict, judged.plan
    rto, users = _rto(verdict), plan.of(RequestsPlan)
    return Trial(
        run_id=plan.run_id,
        path=str(run.path),
        trial=plan.trial,
        verdict=verdict.verdict,
        sentence=verdict.sentence,
        complete=verdict.complete,
        counts_as=counts_as(verdict, plan.expect),
        started=iso(plan.created_ns),
        duration_s=_duration_s(judged),
        needed_s=needed_s(plan.timers, verdict, capacity=any(one.budgets.needs_capacity() for one in plan.workloads)),
        spent=spent_s(judged.case.timeline, _last_ns(judged)),
        seed=plan.seed,
        command=plan.command,
        rto_s=rto.value_s,
        rto_censored=rto.censored,
        rto_low_s=verdict.value("rto_low"),
        rto_high_s=verdict.value("rto_high"),
        rto_resolution_s=rto.resolution_s,
        margin=tightest(verdict.checks)[0],
        budgets=judged.case.workload.budgets,
        slo=users.slo if users else None,
        fault=_fault(judged),
        checks=verdict.checks,
        measurements=verdict.measurements,
        outages=_outages(judged),
        load=_load(judged),
        errors=_errors(judged),
        advice=verdict.advice,
        error_texts=judged.case.run.requests["error"].drop_nulls().n_unique(),
        floor=plan.floor,
        scene=_scene(run.path),
        excerpt=excerpt_of(run.path, plan.targets),
        torn=run.torn,
        timeline=None if judged.case.training else timeline_of(judged.case, verdict, judged.zero_ns),
        training=progress_of(judged.case, verdict, judged.zero_ns),
        alerts=verdict.alerts,
    )


class _Rto(NamedTuple):
    value_s: float | None
    censored: bool
    resolution_s: float | None


def _rto(verdict: RunVerdict) -> _Rto:
    rto, resolution = verdict.measurement("rto"), verdict.measurement("rto_resolution")
    return _Rto(rto.value if rto else None, rto.censored if rto else False, resolution.value if resolution else None)


def _duration_s(judged: Judged) -> float:
    return round((_last_ns(judged) - judged.plan.created_ns) / 1e9, 1)


def _last_ns(judged: Judged) -> int:
    run = judged.case.run
    times = pl.concat([run.events["t_ns"], run.requests["done_ns"].alias("t_ns")]).drop_nulls().to_numpy()
    return int(times.max()) if len(times) else judged.plan.created_ns


def tightest(checks: tuple[Check, ...]) -> tuple[float | None, str]:
    """Return the smallest margin among the ``checks`` of budgets, and that check's name."""
    margins = [(check.margin, check.name) for check in checks if check.margin is not None and names.judges_budget(check.name)]
    return min(margins, default=(None, ""))


def _fault(judged: Judged) -> Fault:
    plan, case, summary = judged.plan, judged.case, judged.verdict.fault
    started, confirmed, ended = (summary.started_ns, summary.confirmed_ns, summary.ended_ns) if summary else (None, None, None)
    return Fault(
        kind=plan.experiment.fault,
        actions=tuple(dict.fromkeys(event.object for event in case.timeline.all(EventKind.FAULT_START))),
        started=_iso(started),
        confirmed=_iso(confirmed),
        confirmed_s=_since(confirmed, judged.zero_ns),
        evidence=tuple(_evidence(case)),
        ended=_iso(ended),
        ended_s=_since(ended, judged.zero_ns),
        ended_how="; ".join(dict.fromkeys(_endings(case))),
        effects=tuple(
            TouchedObject(target=f"{t.kind}/{t.name}", namespace=t.namespace, node=t.node, effect=t.effect, ends=t.ends)
            for t in plan.targets
        ),
        targets=summary.targets if summary else (),
    )


def _iso(t_ns: int | None) -> str | None:
    return None if t_ns is None else iso(t_ns)


def _since(t_ns: int | None, zero_ns: int) -> float | None:
    return None if t_ns is None else round((t_ns - zero_ns) / 1e9, 3)


def _endings(case: Case) -> list[str]:
    endings = (event.detail.get("how") for event in case.timeline.all(EventKind.FAULT_END))
    return [one_line(str(how)) for how in endings if how]


def _evidence(case: Case) -> list[str]:
    said = {EventKind.FAULT_CONFIRMED: "saw", EventKind.FAULT_UNCONFIRMED: "did not confirm; it saw"}
    return [
        f"{one_line(event.object or 'evidence')} {says} {one_line(str(event.detail.get('observed', 'nothing')))}"
        for kind, says in said.items()
        for event in case.timeline.all(kind)
    ]


def _outages(judged: Judged) -> tuple[OutageSpan, ...]:
    zero_ns = judged.zero_ns
    return tuple(
        OutageSpan(start_s=round((o.start_ns - zero_ns) / 1e9, 3), end_s=_since(o.end_ns, zero_ns), bad=o.bad)
        for o in judged.verdict.outages
    )


def _load(judged: Judged) -> LoadQuality | None:
    summary, users = judged.verdict.load, judged.plan.of(RequestsPlan)
    if summary is None or users is None:
        return None
    about = [check for check in judged.verdict.checks if names.of_measurement(check.name)]
    verdict = worst([check.verdict for check in about]) if about else None
    sentence = " ".join(check.sentence for check in about if check.verdict == verdict)
    offered: dict[str, Any] = {"in_flight_cap": users.load.in_flight_cap, "arrivals": users.load.arrivals}
    return LoadQuality(**summary.model_dump(), **offered, verdict=verdict, sentence=sentence)


def _errors(judged: Judged) -> tuple[ErrorSeen, ...]:
    first = judged.case.run.requests.filter(pl.col("error").is_not_null()).group_by("error").agg(pl.col("intended_ns").min())
    when = dict(first.iter_rows())
    common = sorted(judged.verdict.errors.items(), key=lambda item: -item[1])[:MOST_ERRORS]
    return tuple(ErrorSeen(text=text, count=count, first_s=_since(when.get(text), judged.zero_ns)) for text, count in common)


def _scene(path: Path) -> tuple[SceneFile, ...]:
    files = sorted(file for file in (path / "scene").rglob("*") if file.is_file())[:MOST_SCENE_FILES]
    return tuple(SceneFile(path=str(file.relative_to(path)), bytes=file.stat().st_size) for file in files)
