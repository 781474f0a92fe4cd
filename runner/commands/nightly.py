"""``python -m runner nightly``: a night from its healing to its report; ``make nightly`` sets up what it needs and is this.

Whatever an earlier night left is ended, ``pytest -m chaos`` runs in a process of its own, and whatever that one left is ended, too. A
session that was killed has a report all the same, marked incomplete. SIGINT, SIGTERM and SIGHUP are handed on: it heals before it ends.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from history.errors import AftershockError
from kube.client import connect
from kube.wait import until
from runner.cleanup import cleanup
from runner.drivers.choice import read_target
from runner.exits import FAILED, REFUSED
from runner.redact import of_environment, of_target
from runner.run.parent import HANDED_ON
from runner.session_record import NAME, alive, new_name, record_of
from runner.unfinished import report_unfinished
from target.secrets.hiding import redact_text
from target.secrets.known import remember

TEXT = "one night: end what is left, run the experiments, keep and compare the night, end what is left; other arguments are pytest's"
ENVIRONMENT = "AFTERSHOCK_"  # as of the pytest options that these are
OUT, TARGET = "reports/out", "targets/local.yaml"
OUTLIVES_S, POLL_S = 1800.0, 1.0  # how long the run of a killed session is waited for: it heals and judges


@dataclass(frozen=True, slots=True)
class NightOptions:
    """What a night is asked for. Paths are absolute: pytest would count from its own root."""

    target: Path
    out: Path
    nights: str
    max_minutes: str
    rest: tuple[str, ...]  # arguments of pytest

    @property
    def page(self) -> Path:
        """Where the session's report is written."""
        return self.out / "latest" / "index.html"

    def command(self) -> list[str]:
        """Return the session's command."""
        words = [sys.executable, "-m", "pytest", "-m", "chaos", f"--chaos-target={self.target}", f"--chaos-out={self.out}"]
        words.append(f"--chaos-nights={self.nights}")
        return [*words, *([f"--chaos-max-minutes={self.max_minutes}"] if self.max_minutes else []), *self.rest]


def add_to(parser: argparse.ArgumentParser) -> None:
    """Declare the options; what they do not say comes from the environment, under the names of the pytest options."""
    for name, what in (
        ("target", f"target file (default: {TARGET})"),
        ("out", f"runs and the report go here (default: {OUT})"),
        ("nights", "where nights are kept and compared: a folder or s3://BUCKET/PREFIX (default: nights below --out)"),
        ("max-minutes", "run what fits into N minutes (default: everything that is selected)"),
    ):
        parser.add_argument(f"--{name}", metavar=name.upper(), help=what)
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="-- PYTEST_ARGUMENTS", help="handed to pytest, for example -- -k control")


def night_of(options: argparse.Namespace, environment: Mapping[str, str]) -> NightOptions:
    """Return what the command line asks for, and the environment where that is silent; relative paths count from the current folder."""

    def text(name: str, default: str) -> str:
        return getattr(options, name) or environment.get(f"{ENVIRONMENT}{name.upper()}") or default

    out = Path(text("out", OUT)).resolve()
    nights = text("nights", f"{out}/nights")
    rest = options.rest[1:] if options.rest[:1] == ["--"] else options.rest
    if "://" not in nights:
        nights = str(Path(nights).absolute())
    return NightOptions(Path(text("target", TARGET)).absolute(), out, nights, text("max_minutes", ""), tuple(rest))


def nightly(night: NightOptions) -> int:
    """Carry out a night and return its exit code: pytest's, 128 + N if signal N killed it, else 1 if something is left after it.

    Raises:
        AftershockError: nobody can connect, or the target file is wrong; nothing was run.

    """
    before = _written(night.page)
    if not _heal(night.target):
        return _said(REFUSED, "what an earlier night left cannot be ended, so nothing was run; see above and docs/faults.md")
    name = new_name()
    record = record_of(night.out, name)
    code = run_session(night.command(), os.environ | {NAME: name})
    if code < 0:
        until(lambda: not alive(record), OUTLIVES_S, POLL_S)
    clean = _healed_after(night.target)
    if code < 0:
        report_unfinished(night.out, _say, record)
    page = night.page if _written(night.page) != before else None
    why = _meaning(code) + ("" if clean else "; something is left after it, see above and docs/faults.md")
    return _said(128 - code if code < 0 else code if clean else code or FAILED, why, page)


def run_session(command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run a command in a session of its own, so that it hears each signal once, and return its exit code (−N: signal N killed it).

    ``environment``: the command's (default: ours).
    """
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []  # that came before it was started

    def hand_on(number: int, _frame: FrameType | None) -> None:
        for process in started:
            process.send_signal(number)
        if not started:
            early.append(number)

    heard = [number for number in HANDED_ON if signal.getsignal(number) is not signal.SIG_IGN]  # nohup's word counts
    before = {number: signal.signal(number, hand_on) for number in heard}
    try:
        started.append(subprocess.Popen(command, start_new_session=True, env=environment))
        for number in early:
            started[0].send_signal(number)
        return started[0].wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _heal(target: Path) -> bool:
    """End what is left and say so; return whether nothing remains. Raises AftershockError: nobody can look."""
    read = read_target(target)
    remember([*of_environment(os.environ), *of_target(read, os.environ)])
    cleaned = cleanup.clean_up(connect(read))
    _say("\n".join(f"heal: {line}" for line in cleaned.lines()))
    return not cleaned.failed


def _healed_after(target: Path) -> bool:
    """End what the session left; return whether nothing remains, which nobody knows who cannot look."""
    try:
        return _heal(target)
    except AftershockError as error:
        _say(str(error))
        return False


def _written(page: Path) -> tuple[int, int] | None:
    """Return what tells one writing of a page from the next; None: it is not there."""
    try:
        found = page.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _meaning(code: int) -> str:
    from reports.page.html import EXIT_CODES  # noqa: PLC0415 - plotting libraries are loaded only when a night has ended

    return f"signal {-code} killed the session" if code < 0 else dict(EXIT_CODES).get(str(code), "as pytest ended")


def _said(code: int, why: str, page: Path | None = None) -> int:
    """Say how the night ended, and where the report is that it wrote: ``make`` itself ends with 2, whatever the code is."""
    _say(f"night: exit code {code}: {why}; report: {page or 'none, this night wrote none'}")
    return code


def _say(text: str) -> None:
    print(redact_text(text), flush=True)


def main(options: argparse.Namespace) -> int:
    """Carry out ``python -m runner nightly``."""
    return nightly(night_of(options, os.environ))
