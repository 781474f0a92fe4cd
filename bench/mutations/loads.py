"""``python -m bench.mutations.loads run RUN_DIR``: the load, broken as the environment says, in the place of ``workloads.load``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from workloads.load import worker  # isort: skip - first: importing locust patches the process
import polars as pl

from bench.mutations.cases import BROKEN_LOAD
from history.clock import now_ns
from history.workloads import Load
from workloads.load import __main__, inputs, schedule
from workloads.load.dispatcher import Dispatcher
from workloads.load.exchange import Call
from workloads.load.recorder import Recorder

LOST = 40  # every so many rows, one is not written
THINK_NS = 30_000_000  # of the one user, after each answer


def _half_rate() -> None:
    real = schedule.make_schedule

    def half(load: Load, prompts: Any) -> Any:  # noqa: ANN401 - as the real one
        return real(load.model_copy(update={"rate_rps": load.rate_rps / 2}), prompts)

    inputs.make_schedule = half  # type: ignore[attr-defined]  # that is the mutation


def _closed_loop() -> None:
    """Let one user ask, wait for the answer, think as stock users do, and ask again: at most 33 requests a second where 60 are due."""

    def run(self: Dispatcher, origin_ns: int) -> None:
        for request_id, offset_ns, stream, prompt_id, max_tokens in self._arrivals:
            intended_ns = origin_ns + offset_ns
            while self._stop_ns is None and (early_ns := intended_ns - now_ns()) > 0:
                self._alarm.sleep(early_ns)
            if self._stop_ns is not None and intended_ns > self._stop_ns:
                break
            self._carry(Call(request_id, intended_ns, stream, self._prompts[prompt_id], max_tokens))
            self._alarm.sleep(THINK_NS)

    Dispatcher.run = run  # type: ignore[method-assign]  # that is the mutation


def _forgets() -> None:
    """Do not write some of the rows."""
    real = Recorder.row

    def row(self: Recorder, row: Any) -> None:  # noqa: ANN401 - as the real one
        if row["request_id"] % LOST:
            real(self, row)

    Recorder.row = row  # type: ignore[method-assign]  # that is the mutation


def _changes(**columns: object) -> Callable[[], None]:
    """Return a load that writes something else into every row."""

    def patch() -> None:
        real = Recorder.row

        def row(self: Recorder, row: Any) -> None:  # noqa: ANN401 - as the real one
            row.update(columns)
            real(self, row)

        Recorder.row = row  # type: ignore[method-assign]  # that is the mutation

    return patch


def _no_account() -> None:
    def silent(self: worker.Worker, cut_off: int) -> None:  # noqa: ARG001 - as the real one
        self.recorder.close()

    worker.Worker._account_for = silent  # type: ignore[method-assign]  # that is the mutation


def _ends_early() -> None:
    """Know of no arrival after the time that a baseline and a hold alone take."""
    real = worker.run_worker

    def run_worker(whole: inputs.LoadInputs, number: int | None, parent_pid: int, *, drains: bool = True) -> int:
        until_ns = int((whole.plan.timers.baseline_s + whole.plan.timers.hold_s) * 1e9)
        return real(replace(whole, schedule=whole.schedule.filter(pl.col("offset_ns") < until_ns)), number, parent_pid, drains=drains)

    worker.run_worker = run_worker  # type: ignore[assignment]  # that is the mutation


BREAK: dict[str, Callable[[], None]] = {
    "half rate": _half_rate,
    "closed loop": _closed_loop,
    "forgets rows": _forgets,
    "checks no answer": _changes(valid=None),
    "gives no account": _no_account,
    "ends early": _ends_early,
}

if __name__ == "__main__":
    BREAK[os.environ[BROKEN_LOAD]]()
    sys.exit(__main__.main())
