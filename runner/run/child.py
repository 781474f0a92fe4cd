"""``python -m runner.run.child REQUEST``: one run in a process of its own, so that signals, globals and the live run stay there.

Exit codes: 0 the run was judged (``verdict.json``), or a dry run passed; 11 refused before any fault.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO, cast

from history.errors import AftershockError, TargetRefused
from runner.exits import REFUSED
from runner.messages import Kind, Send, take_stdout
from runner.preflight import checks
from runner.redact import Redacted, RedactedStream, of_environment
from runner.request import Request
from runner.run.assemble import assemble
from runner.run.lifecycle import run_phases
from runner.run.preflight import run_preflight
from runner.stop import Interrupted, Stop
from target.secrets.known import remember


def run_request(request: Request, send: Send, stop: Stop) -> int:
    """Carry out one run; return the exit code."""
    with ExitStack() as stack:
        try:
            checked = run_preflight(request, send, stop, stack)
            lines = checks.describe(checked.targets, checked.permissions) if request.dry_run else []
            if request.dry_run:
                send(Kind.RESOLVED, lines=lines + checks.foretell(checked.plan))
                return 0
            context, steps = assemble(checked, request, send, stop, stack)
            send(Kind.RESOLVED, lines=[])
        except AftershockError as error:
            send(Kind.REFUSED, text=str(error), risks=error.risks if isinstance(error, TargetRefused) else ())
            return REFUSED
        except Interrupted as request_to_stop:
            send(Kind.REFUSED, text=f"stopped in preflight, nothing was injected: {request_to_stop.reason}")
            return REFUSED
        verdict = run_phases(context, steps)
        send(Kind.VERDICT, verdict=verdict.verdict, sentence=verdict.sentence)
        stop.no_more()
    return 0


def _log_to(path: Path) -> None:
    """Let every logger of this process write to ``path``, without secrets."""
    handler = logging.FileHandler(path)
    handler.setFormatter(Redacted(logging.BASIC_FORMAT))
    logging.basicConfig(handlers=[handler], level=logging.INFO)


def main() -> int:
    """Read the request from the command line and carry it out."""
    request = Request.model_validate_json(sys.argv[1])
    request.run_dir.mkdir(parents=True, exist_ok=True)
    remember(of_environment(os.environ))
    _log_to(request.run_dir / "child.log")
    send = take_stdout(request.run_dir / "child.log")
    sys.stdout = sys.stderr = cast("TextIO", RedactedStream(sys.stderr))  # what libraries print, and tracebacks
    stop = Stop(on_repeat=lambda reason: send(Kind.NOTE, text=f"{reason}; the run is already being ended, its fault is healed first"))
    stop.install()
    return run_request(request, send, stop)


if __name__ == "__main__":
    sys.exit(main())
