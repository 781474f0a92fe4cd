"""The life of a run: whatever ends it early, it is healed, settled, closed and judged, and the history says what happened."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from history.errors import FaultFailed, UndoFailed
from history.plan import Phase
from history.result import RunVerdict
from history.schema import EventKind
from runner.drivers.driver import WorkloadFailed
from runner.experiment.experiment import read_experiment
from runner.messages import Kind
from runner.run.abort.conditions import record_lost
from runner.run.context import Context, NotSteady, Unconfirmed
from runner.run.lifecycle import Steps, run_phases
from runner.run.phases.drain_and_judge import unjudged
from testing.runs.phases import events
from testing.runs.runner_parts import NULL, Sent

AHEAD = ("start", "baseline", "write_ahead", "inject", "confirm", "observe")
ALL = (*AHEAD, "diagnostics", "heal", "drain", "close")


class Journey:
    """Steps that note their turn and do nothing else."""

    def __init__(self) -> None:
        self.went: list[str] = []

    def steps(self, **instead: Callable[[Context], Any]) -> Steps:
        def step(name: str) -> Callable[[Context], Any]:
            def go(context: Context) -> Any:
                self.went.append(name)
                return instead[name](context) if name in instead else None

            return go

        def close(context: Context) -> RunVerdict:
            self.went.append("close")
            context.log.close()
            return unjudged(context.run.plan, "closed")

        return Steps(**{name: step(name) for name in ALL[:-1]}, close=close)


def raising(error: BaseException) -> Callable[[Context], None]:
    def go(_context: Context) -> None:
        raise error

    return go


def test_the_phases_come_in_order(context: Context) -> None:
    journey = Journey()
    run_phases(context, journey.steps())
    assert tuple(journey.went) == ALL
    phases = [name for name, _ in events(context, EventKind.PHASE)]
    assert phases == [phase.value for phase in Phase if phase not in {Phase.PREFLIGHT, Phase.JUDGE}]
    assert not events(context, EventKind.STOPPED)


def test_a_null_control_injects_nothing(context: Context, experiment_file: Path) -> None:
    experiment_file.write_text(NULL)
    context.experiment = read_experiment(experiment_file, experiment_file.parents[1])
    journey = Journey()
    run_phases(context, journey.steps())
    assert journey.went == ["start", "baseline", "observe", "diagnostics", "heal", "drain", "close"]


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("start", WorkloadFailed("the load did not start")),
        ("baseline", NotSteady("not steady")),
        ("write_ahead", FaultFailed("the reaper does not run")),
        ("inject", FaultFailed("403")),
        ("confirm", Unconfirmed("still there")),
        ("observe", WorkloadFailed("the load ended")),
    ],
)
def test_what_ends_a_phase_early_ends_the_run_and_is_healed(context: Context, where: str, error: Exception) -> None:
    journey = Journey()
    run_phases(context, journey.steps(**{where: raising(error)}))
    assert journey.went == [*AHEAD[: AHEAD.index(where) + 1], "diagnostics", "heal", "drain", "close"]
    [(by, detail)] = events(context, EventKind.STOPPED)
    assert (by, detail["reason"]) == (type(error).__name__, str(error))


@pytest.mark.parametrize("where", AHEAD)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_any_phase_heals_first(context: Context, where: str, number: signal.Signals) -> None:
    context.stop.install()
    journey = Journey()
    run_phases(context, journey.steps(**{where: lambda _: os.kill(os.getpid(), number)}))
    assert journey.went == [*AHEAD[: AHEAD.index(where) + 1], "heal", "diagnostics", "drain", "close"]
    [(by, detail)] = events(context, EventKind.STOPPED)
    assert by == number.name
    assert detail["phase"] in {phase.value for phase in Phase}


def test_a_signal_before_the_first_phase_stops_there(context: Context) -> None:
    with context.stop.shielded():
        context.stop.install()
        context.stop.ask("lease", "the lease was lost")
    journey = Journey()
    run_phases(context, journey.steps())
    assert journey.went == ["heal", "diagnostics", "drain", "close"]


def test_a_signal_while_the_scene_is_kept_ends_that_and_heals(context: Context) -> None:
    context.stop.install()

    def scene(_context: Context) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        journey.went.append("the rest of the scene")

    journey = Journey()
    run_phases(context, journey.steps(diagnostics=scene))
    assert tuple(journey.went) == ALL
    [(by, detail)] = events(context, EventKind.STOPPED)
    assert (by, detail["phase"]) == ("SIGTERM", Phase.SCENE.value)


@pytest.mark.parametrize("where", ["heal", "drain"])
def test_a_signal_while_healing_changes_nothing_but_is_recorded(context: Context, where: str) -> None:
    context.stop.install()
    journey = Journey()
    run_phases(context, journey.steps(**{where: lambda _: os.kill(os.getpid(), signal.SIGTERM)}))
    assert sorted(journey.went) == sorted(ALL)
    assert [by for by, _ in events(context, EventKind.STOPPED)] == ["SIGTERM"]


def test_a_second_signal_does_not_interrupt_healing(context: Context, sent: Sent) -> None:
    context.stop._on_repeat = lambda reason: sent(Kind.NOTE, text=f"again: {reason}")
    context.stop.install()

    def twice(_context: Context) -> None:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)

    journey = Journey()
    run_phases(context, journey.steps(inject=lambda _: os.kill(os.getpid(), signal.SIGINT), heal=twice))
    assert journey.went[-4:] == ["heal", "diagnostics", "drain", "close"]
    assert len([text for text in sent.texts(Kind.NOTE) if text.startswith("again")]) == 3


def test_an_unexpected_error_is_healed_and_its_traceback_kept_off_the_terminal(context: Context, sent: Sent) -> None:
    journey = Journey()
    run_phases(context, journey.steps(inject=raising(KeyError("oops"))))
    assert journey.went[-4:] == ["diagnostics", "heal", "drain", "close"]
    [(by, detail)] = events(context, EventKind.STOPPED)
    assert by == "unexpected error"
    assert "KeyError" in detail["reason"]
    assert "Traceback" in (context.run.run_dir / "scene" / "traceback.txt").read_text()
    assert not any("Traceback" in text for text in sent.texts(Kind.NOTE))


def test_a_disk_that_is_full_keeps_nothing_from_being_healed(context: Context, sent: Sent) -> None:
    full, journey = os.open("/dev/full", os.O_WRONLY), Journey()
    for rows in (context.log._events, context.log._samples):
        os.dup2(full, rows._fd)
    os.close(full)
    (context.run.run_dir / "scene").write_text("a file in the folder's place, so that no traceback can be kept either")
    run_phases(context, journey.steps(inject=raising(OSError(28, "No space left on device"))))
    assert journey.went[-4:] == ["diagnostics", "heal", "drain", "close"]
    assert "No space left on device" in context.log.lost
    assert record_lost(context.log)() == ("record", f"the run's record cannot be written any more: {context.log.lost}")


@pytest.mark.parametrize("error", [UndoFailed("no"), ValueError("a defect")])
def test_healing_that_breaks_does_not_keep_the_run_from_being_closed(context: Context, error: Exception) -> None:
    journey = Journey()
    run_phases(context, journey.steps(diagnostics=raising(error), heal=raising(error), drain=raising(error)))
    assert journey.went[-4:] == ["diagnostics", "heal", "drain", "close"]
