"""``python -m bench.cgroup2.job FOLDER HERE_S FOR_S [FAULT…]``: what runs in the virtual machine; its rows go to the table in FOLDER.

HERE_S: what the work of bench.cgroup2.speed takes on the machine outside (s of processor time). FOR_S: how long this may last. FAULT: these
alone. At the end the cluster's logs are copied to FOLDER/logs: the machine's own disk is gone with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.cgroup2 import speed, steps
from bench.common.tables import ROOT, Row, add_rows, commit
from cluster.host import pace
from cluster.state import State

TABLE = "trials.jsonl"
LAST_S = 600.0  # for the trial that is under way when time is up, and for its platform to go


def main() -> int:
    """Carry out the steps and the faults that are missing in the table; exit 1 if a step went wrong."""
    folder, here_s, until_s = Path(sys.argv[1]), float(sys.argv[2]), time.monotonic() + float(sys.argv[3])
    factor = speed.slower_by(speed.clock_s(), here_s)
    about: Row = {"slower_by": factor, "commit": commit(), "accelerator": os.environ.get("ACCELERATOR", "")}
    if kept(folder, about | steps.machine(factor)):
        return 1
    os.environ[pace.VARIABLE] = f"{factor:g}"  # the one place of it: whatever waits in cluster/ reads it there
    wrong = kept(folder, about | steps.up(say))
    if not wrong:
        wrong += kept(folder, about | steps.pod())
        faults(folder, factor, until_s - pace.limit_s(steps.DOWN_S) - LAST_S, sys.argv[4:])
    if (logs := State(steps.config().name).folder / "logs").is_dir():
        shutil.copytree(logs, folder / "logs", dirs_exist_ok=True)
    wrong += kept(folder, about | steps.down(say))
    return int(bool(wrong))


def say(sentence: str) -> None:
    """Write a line to the console."""
    print(sentence, flush=True)


def kept(folder: Path, row: Row) -> list[str]:
    """Add a step to the table and say it; return what was wrong."""
    add_rows(folder / TABLE, [row])
    wrong: list[str] = row["wrong"]
    say(f"{row['step']}: {'; '.join(wrong) or 'well'} ({row.get('seconds', 0):g} s)")
    return wrong


def faults(folder: Path, factor: float, until_s: float, only: list[str]) -> None:
    """Try the faults that are missing in the table, in a process of their own; none begins after ``until_s`` (monotonic).

    ``only``: of these alone; empty: of all.
    """
    words = ["-m", "bench.campaigns.alone", "--table", str(folder / TABLE), "--slower-by", f"{factor:g}"]
    words += ["--only", *only] if only else []
    if until_s != float("inf"):
        words += ["--for", f"{max(until_s - time.monotonic(), 0):.0f}s"]
    subprocess.run([sys.executable, *words], cwd=ROOT, check=False)


if __name__ == "__main__":
    sys.exit(main())
