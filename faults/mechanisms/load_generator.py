"""More load from a generator of the fault's own: the program that drives the run, started once more, with a record of its own.

It is made ready first and sends nothing until it is told when to begin. It ends with its schedule; when the suite is gone, within a
second; and when healing ends it (:mod:`safety.load_process`). Whichever it is, nobody who is due later asks, and who is under way is cut
off: nobody waits for a time-out, or asks again after the fault is over.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from platform import node as machine
from select import select

from history.clock import now_ns
from history.errors import FaultFailed
from history.plan import ExperimentInfo, Plan, TargetInfo, Timers, write_plan
from history.workloads import RequestsPlan
from safety import fault_steps
from safety.active_run import ActiveRun
from safety.load_process import PROGRAM, folder_of
from safety.plain_names import plain_name
from safety.undo_journal import UndoKind

ROOT = Path(__file__).parents[2]
READY_S = 60.0  # importing its libraries and writing its schedule, on a busy machine
LEAD_NS = 50_000_000  # from the word to begin to the first arrival
ENDS = "the load generator, after {for_s:g} s; if the suite ends before, with it"
NO_TIMERS = Timers(baseline_s=0, hold_s=0, confirm_s=0, deadline_s=0, heal_s=0)
_started: list[subprocess.Popen[bytes]] = []  # whoever drops a process that runs is warned


class Generator:
    """A load generator that is ready and sends nothing yet."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", PROGRAM, "run", str(folder), "--worker", "0", "--no-drain", "--parent", str(os.getpid())]
        self._log = folder / "load.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, bufsize=0, start_new_session=True
            )
        _started.append(self._process)

    def wait_ready(self) -> None:
        """Wait until it has its schedule. Raises FaultFailed: it ended instead, or is not ready within 60 s."""
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - for the type checker: it was opened as a pipe
        said = stdout.readline() if select([stdout], [], [], READY_S)[0] else b""
        if not _is_ready(said):
            last = " ".join(self._log.read_text(errors="replace").split("\n")[-3:]).strip()
            raise FaultFailed(f"load generator: it did not get ready within {READY_S:g} s: {last or 'it said nothing'}; nothing was sent")

    def begin(self) -> None:
        """Let its schedule begin now. Raises FaultFailed: it has ended."""
        try:
            assert self._process.stdin is not None  # noqa: S101 - for the type checker: it was opened as a pipe
            self._process.stdin.write(f"{now_ns() + LEAD_NS}\n".encode())
        except OSError as error:
            raise FaultFailed(f"load generator: it has ended before it began ({error}); see {self._log}") from error

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()


@contextmanager
def ready(run: ActiveRun, requests: RequestsPlan, for_s: float) -> Iterator[Generator]:
    """Yield a generator for ``requests`` that is ready and written ahead; it is ended if the block does not come to its end.

    Raises:
        FaultFailed: it does not get ready, or how to undo it cannot be recorded.

    """
    folder = folder_of(run, run.activity)
    folder.mkdir(parents=True)
    write_plan(_plan(run, requests), folder)
    generator = Generator(folder)
    try:
        generator.wait_ready()
        ends = ENDS.format(for_s=for_s)
        run.journal.will_undo(fault_steps.entry(run, UndoKind.END_LOAD, str(folder), detail=machine(), lasts_s=for_s, self_ends=ends))
        yield generator
    except BaseException:
        generator.kill()
        raise


def _plan(run: ActiveRun, requests: RequestsPlan) -> Plan:
    """Return what the generator reads: its load. Its requests are not those of the run's own load, and carry another id."""
    target, region = run.platform.target, run.platform.region
    about = ExperimentInfo(id=run.activity, title=run.activity, description="", tags=(), hypothesis="", fault="none", digest="")
    where = TargetInfo(name=target.name, context=region.context, server=region.server, namespaces=region.namespaces)
    return Plan(
        run_id=f"{run.plan.run_id}-{plain_name(run.activity)}",
        created_ns=now_ns(),
        seed=requests.load.seed,
        profile="",
        experiment=about,
        target=where,
        workloads=(requests,),
        timers=NO_TIMERS,
    )


def _is_ready(line: bytes) -> bool:
    try:
        return bool(json.loads(line)["event"] == "WORKER_READY")
    except (ValueError, KeyError, TypeError):
        return False
