"""The suite's own phases carried out without a cluster: real load, the API server in memory, phases that look more often than usual."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from types import ModuleType
from unittest.mock import patch

from history.result import RunVerdict
from kube import live
from runner import baseline, confirm, heal, observe
from runner.conditions import Conditions
from runner.context import Context
from runner.health import Before
from runner.inject import inject
from runner.life import Steps, carry_out
from runner.scene import keep_scene
from runner.settle import close_and_judge, settle
from runner.stop import SIGNALS, Stop

Pace = Sequence[tuple[ModuleType, Mapping[str, float]]]
"""How often phases look, and how long they wait for a first sight (s): module, and its constants."""


def carried_out(context: Context, before: Before, guards: list[Callable[[], tuple[str, str] | None]], pace: Pace) -> RunVerdict:
    """Carry a prepared run through its life, watched by ``guards``, and return its verdict; nothing of it is left active."""
    watching = Conditions(context.stop, guards)
    live.activate(context.live)
    try:
        with _at(pace), _own_signals(context.stop):
            watching.start()
            return carry_out(context, _steps(before))
    finally:
        watching.halt()
        live.activate(None)
        if context.load is not None:
            context.load.end()


def _steps(before: Before) -> Steps:
    return Steps(
        start_load=baseline.start_load,
        baseline=baseline.baseline,
        write_ahead=lambda _context: None,  # the reaper's Job needs a cluster; the journal is the real one
        inject=inject,
        confirm=confirm.confirm,
        observe=observe.observe,
        scene=keep_scene,
        heal=partial(heal.heal, before=before),
        settle=settle,
        close=close_and_judge,
    )


@contextmanager
def _at(pace: Pace) -> Iterator[None]:
    with ExitStack() as stack:
        for module, constants in pace:
            for name, value in constants.items():
                stack.enter_context(patch.object(module, name, value))
        yield


@contextmanager
def _own_signals(stop: Stop) -> Iterator[None]:
    """Let the run own its signals, as in a process of its own; put back what was."""
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGUSR1)}
    stop.install()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
