"""What waivers say of judged runs. A session and ``python -m reports`` ask alike: what counts is the day on which a run began."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from history.errors import HistoryError
from history.plan import Expect, Plan
from history.reader import read_plan
from history.result import RunVerdict, Verdict
from nights.waivers import Waivers, Weighed, not_needed, weigh
from reports.known import KnownFail


def weighed(waivers: Waivers, plan: Plan, verdict: RunVerdict) -> Weighed | None:
    """Return what the waivers say of one run; ``None``: it is no FAIL, or its experiment expects one."""
    if verdict.verdict is not Verdict.FAIL or plan.expect != Expect():
        return None
    day = datetime.fromtimestamp(plan.created_ns / 1e9, UTC).date()
    return weigh(verdict.checks, plan.experiment.id, plan.target.name, waivers.waivers, day, workload=_only(plan))


def known_fails(run_dirs: Sequence[Path], waivers: Waivers | None) -> tuple[KnownFail, ...]:
    """Return the runs that waivers are about, whether they hold or not; none without ``waivers``."""
    if waivers is None:
        return ()
    found = ((plan, weighed(waivers, plan, verdict)) for plan, verdict in _judged(run_dirs))
    return tuple(
        KnownFail(run_id=plan.run_id, experiment=plan.experiment.id, waived=known.waived, says=(*known.red, *known.covered))
        for plan, known in found
        if known is not None and (known.covered or known.red)
    )


def waiver_notes(run_dirs: Sequence[Path], waivers: Waivers | None) -> tuple[str, ...]:
    """Return a sentence on each waiver whose check passed in all of these runs of its target."""
    if waivers is None:
        return ()
    ended: dict[str, dict[tuple[str, str, str], list[Verdict]]] = {}
    for plan, verdict in _judged(run_dirs):
        of_target = ended.setdefault(plan.target.name, {})
        for check in verdict.checks:
            of_target.setdefault((plan.experiment.id, check.name, check.workload or _only(plan)), []).append(check.verdict)
    passed = {target: [key for key, verdicts in each.items() if set(verdicts) == {Verdict.PASS}] for target, each in ended.items()}
    return tuple(dict.fromkeys(said for target, keys in passed.items() for said in not_needed(waivers.waivers, target, keys)))


def _judged(run_dirs: Sequence[Path]) -> Iterator[tuple[Plan, RunVerdict]]:
    """Yield plan and verdict of the runs that can be read; the report lists the others."""
    for run_dir in run_dirs:
        try:
            yield read_plan(run_dir), RunVerdict.model_validate_json((run_dir / "verdict.json").read_bytes())
        except (HistoryError, OSError, ValidationError):
            continue


def _only(plan: Plan) -> str:
    """Return the class of workload that drives a run alone; empty: several do, and their checks say whose they are."""
    return plan.workloads[0].name if len(plan.workloads) == 1 else ""
