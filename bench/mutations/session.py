"""One case through a whole session of ``pytest -m chaos``, and what it says of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.common.tables import ROOT, Row
from bench.mutations.cases import BROKEN_LOAD, PASS, PLATFORM, REFUSED, Case
from bench.mutations.document import write_files
from history.result import RunVerdict

BROKEN = "broken"
MOST_S = 300.0
LAST = 400  # characters of a session without a verdict


@dataclass(frozen=True, slots=True)
class Result:
    """What the suite says of a case: a row of the campaign's table. ``right``: it is what the case demands."""

    name: str
    part: str
    verdict: str
    check: str
    sentence: str
    right: bool
    seconds: float
    exit: int
    where: str = PLATFORM

    def row(self) -> Row:
        """Return it as plain data."""
        return asdict(self)


def run(case: Case, folder: Path, *more: str) -> Result:
    """Carry out ``case`` on the embedded platform; its files and its runs go to ``folder``. ``more``: options of the session."""
    experiments, file = write_files(case, folder, ROOT)
    out, began_s = folder / "out", time.monotonic()
    options = [f"--chaos-target={file}", f"--chaos-out={out}", f"--chaos-experiments={experiments}", "--chaos-seed=1"]
    environment = os.environ | ({BROKEN_LOAD: case.load} if case.load else {})
    command = [sys.executable, "-m", "pytest", "-m", "chaos", "-q", *options, *more]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=MOST_S, check=False)
    verdicts = list((out / "runs").glob("*/verdict.json")) if out.exists() else []
    verdict = RunVerdict.model_validate_json(verdicts[0].read_text()) if verdicts else None
    return judged(case, verdict, done.stdout + done.stderr, done.returncode, time.monotonic() - began_s)


def judged(case: Case, verdict: RunVerdict | None, output: str, code: int, seconds: float) -> Result:
    """Return whether ``verdict`` (or, without one, what the session's ``output``) is what ``case`` demands."""
    if verdict is None:
        name, checks = (REFUSED if code == 11 else BROKEN), {REFUSED: " ".join(output[-LAST:].split())}
    else:
        name, checks = verdict.verdict.value, {check.name: check.sentence for check in verdict.checks}
    sentence = checks.get(case.check, verdict.sentence if verdict else checks[REFUSED])
    if case.verdict == PASS:
        return Result(case.name, case.part, name, "", verdict.sentence if verdict else sentence, name == PASS and code == 0, seconds, code)
    right = name == case.verdict and case.words in sentence and case.check in {*checks, REFUSED} and code != 0
    return Result(case.name, case.part, name, case.check, sentence, right, seconds, code)
