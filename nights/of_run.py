"""A judged run in, its record out: from plan and verdict, and the events for how long it took."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from history.errors import HistoryError
from history.plan import Plan
from history.reader import read_plan, read_table
from history.result import Check, RunVerdict, Verdict, counts_as
from history.workloads import WorkloadPlan
from nights.record import AVAILABILITY, RTO, Conditions, RunRecord, Value
from verdict.registered import check_named

LONGEST = 300
DIGITS = 16


def record_of(run_dir: Path, night: str) -> RunRecord:
    """Return the record of the run in ``run_dir`` as part of ``night``.

    A run without a verdict was interrupted: it is INCONCLUSIVE and not complete.

    Raises:
        HistoryError: its plan, verdict or events cannot be read.

    """
    plan, verdict = read_plan(run_dir), _verdict(run_dir)
    if verdict is not None and verdict.run_id != plan.run_id:
        raise HistoryError(
            f"{run_dir}: the verdict is of run {verdict.run_id}, the plan of {plan.run_id}; judge it: python -m verdict {run_dir}"
        )
    named = plan.experiment
    return RunRecord(
        night=night,
        run_id=plan.run_id,
        experiment=named.id,
        title=named.title.strip() or named.id,
        trial=plan.trial,
        started_ns=plan.created_ns,
        duration_s=_duration_s(run_dir, plan),
        verdict=str(verdict.verdict if verdict else Verdict.INCONCLUSIVE),
        counts_as=str(counts_as(verdict, plan.expect) if verdict else Verdict.INCONCLUSIVE),
        complete=verdict is not None and verdict.complete,
        sentence=_cut(verdict.sentence) if verdict else "The run was interrupted: it has no verdict.",
        conditions=conditions_of(plan),
        versions=plan.versions,
        values=_values(verdict) if verdict else (),
        failed=tuple(check.label for check in verdict.checks if check.verdict is Verdict.FAIL) if verdict else (),
        namespaces={one.role: one.namespace for one in plan.layout.roles} if plan.layout else {},
        touched=_touched(plan),
        gpus=_gpus(plan),
    )


def _touched(plan: Plan) -> tuple[str, ...]:
    """Return the namespaces in which the fault acts, and those of the roles that serve its workloads."""
    serving = [one.namespace for one in plan.layout.roles if one.role in {of.role for of in plan.workloads}] if plan.layout else []
    return tuple(sorted({*serving, *(one.namespace for one in plan.targets if one.namespace)} - {""}))


def _gpus(plan: Plan) -> int | None:
    """Return how many GPUs the roles ask for that serve the run's workloads; None: it is known of none of them."""
    serving = {one.role for one in plan.workloads}
    known = [one.gpus for one in (plan.layout.roles if plan.layout else ()) if one.role in serving and one.gpus is not None]
    return sum(known) if known else None


def conditions_of(plan: Plan) -> Conditions:
    """Return what another run must have in common with this one to be compared with it."""
    each = [_offered(workload) for workload in plan.workloads]
    return Conditions(
        target=plan.target.name,
        workload=" + ".join(one.name for one in plan.workloads),
        offered=hashlib.sha256(json.dumps(each if each[1:] else each[0], sort_keys=True).encode()).hexdigest()[:DIGITS],
        profile=plan.profile,
        seed_policy=plan.seed_policy,
        digest=plan.experiment.digest,
        platform=plan.platform,
    )


def _offered(workload: WorkloadPlan) -> dict[str, object]:
    return {key: _lasting(part) for key, part in workload.model_dump(mode="json").items() if key not in {"budgets", "url"}}


def _lasting(part: object) -> object:
    """Return a part of a workload (load, SLO, job) without what differs from run to run by itself."""
    return {key: value for key, value in part.items() if key not in OF_ONE_RUN} if isinstance(part, dict) else part


OF_ONE_RUN = {"seed", "horizon_s", "url", "job", "reference"}
"""Seeds, how long arrivals are scheduled, addresses, names of jobs. Budgets are left out, too: they change a verdict, not a measurement."""


def _verdict(run_dir: Path) -> RunVerdict | None:
    file = run_dir / "verdict.json"
    if not file.exists():
        return None
    try:
        return RunVerdict.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise HistoryError(
            f"{file}: not a verdict this suite reads ({_cut(str(error))}); judge the run: python -m verdict {run_dir}"
        ) from error


def _values(verdict: RunVerdict) -> tuple[Value, ...]:
    """Return what the checks of budgets measured, and RTO and availability also where no budget is set."""
    found = {(one.name, one.workload): _of_check(one) for one in verdict.checks if one.measured is not None and _has_budget(one)}
    for one in verdict.measurements:
        key = one.name, one.workload
        if one.name in {RTO, AVAILABILITY} and one.value is not None and key not in found:
            found[key] = Value(one.name, one.value, one.unit, censored=one.censored, workload=one.workload)
    return tuple(found.values())


def _of_check(check: Check) -> Value:
    return Value(check.name, check.measured or 0.0, check.unit, check.low, check.high, check.censored, check.budget, check.workload)


def _has_budget(check: Check) -> bool:
    spec = check_named(check.name)
    return spec is not None and spec.budget is not None


def _duration_s(run_dir: Path, plan: Plan) -> float:
    last_ns = read_table(run_dir, "events").select(pl.col("t_ns").max()).item()
    return round(max(0, (last_ns or plan.created_ns) - plan.created_ns) / 1e9, 1)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
