"""The life of one run: the phases in their order, and what happens when one of them does not end as it should.

Whatever happens after preflight, the fault is healed, the load drained, the history closed and judged.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from history.errors import AftershockError
from history.plan import Phase
from history.result import RunVerdict
from history.schema import EventKind
from runner.messages import Kind
from runner.run.context import Context
from runner.stop import Interrupted
from target.secrets.hiding import redact_text

Step = Callable[[Context], object]


@dataclass(frozen=True, slots=True)
class Steps:
    """What each phase does. ``heal`` returns what remains; the others raise what is wrong."""

    start: Step
    baseline: Step
    write_ahead: Step
    inject: Step
    confirm: Step
    observe: Step
    diagnostics: Step
    heal: Step
    drain: Step
    close: Callable[[Context], RunVerdict]


def run_phases(context: Context, steps: Steps) -> RunVerdict:
    """Carry a prepared run through its life and return its verdict."""
    with context.stop.shielded():
        run_part(context, lambda: _ahead(context, steps))
        asked = context.stop.request is not None
        if not asked:
            run_part(context, lambda: _keep_diagnostics(context, steps))
        context.stop.no_more()
        run_part(context, lambda: _heal(context, steps))
        if asked:  # what was broken was mended first
            run_part(context, lambda: steps.diagnostics(context))
        run_part(context, lambda: _drain(context, steps))
        _note_late_stop(context)
        return steps.close(context)


def _ahead(context: Context, steps: Steps) -> None:
    """Go from the baseline to recovery; only this part and the diagnostics can be interrupted."""
    with context.stop.exposed():
        with context.during(Phase.BASELINE):
            steps.start(context)
            steps.baseline(context)
        if context.experiment.injects:
            with context.during(Phase.WRITE_AHEAD):
                steps.write_ahead(context)
            with context.during(Phase.INJECT):
                steps.inject(context)
            with context.during(Phase.CONFIRM):
                steps.confirm(context)
        with context.during(Phase.OBSERVE):
            steps.observe(context)


def _keep_diagnostics(context: Context, steps: Steps) -> None:
    """Keep diagnostics before anything is healed; a stop request interrupts it."""
    with context.during(Phase.SCENE), context.stop.exposed():
        steps.diagnostics(context)


def _heal(context: Context, steps: Steps) -> None:
    with context.during(Phase.HEAL):
        steps.heal(context)


def _drain(context: Context, steps: Steps) -> None:
    with context.during(Phase.SETTLE):
        steps.drain(context)


def run_part(context: Context, part: Callable[[], object]) -> None:
    """Carry out one part of a run; whatever ends it early becomes an event of the history, so that the verdict knows.

    This is the one boundary at which unexpected errors are caught. The run is healed and INCONCLUSIVE; the traceback is kept with the
    diagnostics and not shown at the terminal.
    """
    try:
        part()
    except Interrupted as stop:
        context.stopped = True
        _stopped(context, stop.by, stop.reason)
    except AftershockError as error:
        _stopped(context, type(error).__name__, str(error))
    except Exception as error:  # noqa: BLE001 - the boundary described above
        folder = context.run.run_dir / "scene"
        with suppress(OSError):  # a full disk keeps nothing from being healed
            folder.mkdir(exist_ok=True)
            with (folder / "traceback.txt").open("a") as file:
                file.write(redact_text("".join(traceback.format_exception(error))))
        where = f"its traceback is in {folder / 'traceback.txt'}"
        _stopped(
            context, "unexpected error", f"phase {context.phase}: {type(error).__name__}: {error}; {where}; this is a defect of the suite"
        )


def _note_late_stop(context: Context) -> None:
    """Record a stop that was asked for while the run was already healing."""
    if context.stop.request is not None and not context.stopped:
        _stopped(context, context.stop.request.by, context.stop.request.reason)


def _stopped(context: Context, by: str, reason: str) -> None:
    context.log.event(EventKind.STOPPED, by, reason=reason, phase=context.phase.value)
    context.send(Kind.NOTE, text=reason)
