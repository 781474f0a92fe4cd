"""Settling and closing: every workload drains, the watchers stop, the history is closed, judged and kept."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from history.close import close_run
from history.errors import AftershockError
from history.plan import Phase, Plan
from history.reader import read_plan, read_run
from history.result import Check, RunVerdict, Verdict, write_verdict
from history.schema import EventKind
from runner.drivers.progress import Progress
from runner.run.context import Context
from verdict import judge


def drain(context: Context) -> None:
    """End every workload; one is drained even if another cannot be, whatever that raises."""
    with ExitStack() as stack:  # the last is ended first
        for name, progress in context.progress.items():
            stack.callback(_drain, context, name, progress)


def _drain(context: Context, name: str, progress: Progress) -> None:
    try:
        progress.drain()
    except AftershockError as error:
        context.log.event(EventKind.INSTRUMENT_DOWN, name, error=str(error))
        context.note(str(error))


def close_and_judge(context: Context) -> RunVerdict:
    """Close the history and judge it; a history that cannot be judged is INCONCLUSIVE and says why."""
    run_dir = context.run.run_dir
    context.log.event(EventKind.PHASE, Phase.JUDGE.value)
    context.log.close()
    try:
        close_run(run_dir)
        verdict = judge(read_run(run_dir))
    except (AftershockError, OSError) as error:
        verdict = unjudged(context.run.plan, str(error))
    if context.log.lost:
        verdict = unjudged(context.run.plan, f"The record of this run is not whole, a part could not be written: {context.log.lost}")
    (run_dir / "verdict.json").write_text(verdict.model_dump_json(indent=1), encoding="utf-8")
    context.toolkit_journal.write(run_dir, context.run.plan, verdict, interrupted=context.stop.request is not None)
    return verdict


def judge_what_is_left(run_dir: Path) -> RunVerdict | None:
    """Judge a run whose process ended before it did, so that the report shows it; None: it did not even have a plan.

    It is never better than INCONCLUSIVE, since its end is not in the record.
    """
    try:
        plan = read_plan(run_dir)
    except AftershockError:
        return None
    try:
        verdict = judge(read_run(run_dir))
    except AftershockError as error:
        verdict = unjudged(plan, f"The run was never judged, and its record cannot be: {error}")
    write_verdict(verdict, run_dir)
    return verdict


def unjudged(plan: Plan, sentence: str) -> RunVerdict:
    """Return the verdict on a run whose history cannot be judged."""
    check = Check(name="history", verdict=Verdict.INCONCLUSIVE, sentence=sentence)
    return RunVerdict(run_id=plan.run_id, verdict=Verdict.INCONCLUSIVE, sentence=sentence, complete=False, checks=(check,), measurements=())
