"""``python -m bench.accuracy.soak``: repeat one experiment until a table holds N judged runs. Resumable.

The table is ``reports/out/soak/<experiment>.jsonl``: one line a run (commit, verdict, sentence, RTO, resolution, send lag), appended
when the run has been judged. No run is left out: one that was refused, or broke before its verdict, is a row too. It does not count
towards N. ``--write FILE`` publishes the table with what ``runner.commands.calibrate`` concludes from its runs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.common import pages
from bench.common.tables import ROOT, Row, add_rows, commit, rows_of
from history.errors import HistoryError
from runner.commands.calibrate import NullRun, findings, read_null_run

OUT = ROOT / "reports" / "out" / "soak"
JUDGED = ("PASS", "INCONCLUSIVE", "FAIL")
REFUSED = 11
MOST_VAIN = 3
"""So many runs in a row without a verdict end the session: the platform needs a look."""


def read_rows(table: Path, version: str = "") -> list[Row]:
    """Return the rows (of commit ``version``, if one is named); the table may not exist yet."""
    return [row for row in rows_of(table) if version in {"", row["commit"]}]


def judged(rows: list[Row]) -> list[Row]:
    """Return the rows that hold a verdict."""
    return [row for row in rows if row["verdict"] in JUDGED]


def run_once(experiment: str, target: str, out: Path, seed: int) -> Row:
    """Carry out one run and return its row. What an earlier try without a row (it was stopped half-way) left in ``out`` makes room."""
    shutil.rmtree(out, ignore_errors=True)
    options = [f"--chaos-target={target}", f"--chaos-out={out}", f"--chaos-seed={seed}", "-k", experiment.rsplit("/", 1)[-1]]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "chaos", "-q", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    report = out / "latest" / "report.json"
    experiments = json.loads(report.read_text())["experiments"] if report.exists() else []
    trials = [trial for experiment_row in experiments for trial in experiment_row["trials"]]
    if not trials:
        verdict = "REFUSED" if done.returncode == REFUSED else "BROKEN"
        return {"exit": done.returncode, "verdict": verdict, "sentence": done.stdout[-400:]}
    [trial] = trials
    load = trial["load"] or {}
    [run_dir] = (out / "runs").iterdir()
    return {
        "exit": done.returncode,
        "verdict": trial["verdict"],
        "sentence": trial["sentence"],
        "rto_s": trial["rto_s"],
        "resolution_s": trial["rto_resolution_s"],
        "send_lag_p99_ms": load.get("send_lag_p99_ms"),
        "run": str(run_dir),
    }


def show(rows: list[Row], experiment: str) -> None:
    """Print the table and its sum."""
    table = Table("run", "commit", "verdict", "RTO s", "resolution s", "send lag p99 ms", "sentence", title=experiment)
    for number, row in enumerate(rows, 1):
        table.add_row(str(number), row["commit"], row["verdict"], *_figures(row), row["sentence"])
    Console().print(table)
    print(summary(rows))


def summary(rows: list[Row]) -> str:
    """Return how many runs came out how, in words."""
    counts = Counter(row["verdict"] for row in rows)
    return f"{len(judged(rows))} judged runs: " + ", ".join(f"{counts[name]} {name}" for name in (*JUDGED, "REFUSED", "BROKEN"))


def page(rows: list[Row], experiment: str, command: str) -> str:
    """Return the table as a page of docs/, with what the runs say of the platform, its load and its noise."""
    kept = [run for row in judged(rows) if (run := _stored(Path(row["run"])))]
    loads = sorted(row["load_average"] for row in judged(rows) if "load_average" in row)
    noise = f"The load average at the ends of the judged runs was {loads[0]:g} to {loads[-1]:g}." if loads else ""
    return pages.page(
        "Null runs",
        command,
        rows,
        f"Experiment `{experiment}`, one run a row, none left out.",
        f"**{summary(rows)}.** {noise}",
        "\n".join(f"- {line}" for line in findings(kept, None)),
        pages.table(
            ("run", "commit", "load average", "verdict", "resolution s", "send lag p99 ms", "its sentence"),
            (_cells(number, row) for number, row in enumerate(rows, 1)),
        ),
    )


def _cells(number: int, row: Row) -> tuple[object, ...]:
    return number, row["commit"], row.get("load_average", "–"), row["verdict"], *_figures(row)[1:], row["sentence"]


def _figures(row: Row) -> list[str]:
    return [f"{row[key]:.3f}" if isinstance(row.get(key), float) else "–" for key in ("rto_s", "resolution_s", "send_lag_p99_ms")]


def _stored(run_dir: Path) -> NullRun | None:
    """Return a run that is still there."""
    try:
        return read_null_run(run_dir)
    except (HistoryError, OSError):
        return None


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = pages.parser_of("bench.accuracy.soak", __doc__)
    pages.add_time_limit(parser)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--experiment", default="control/null-control")
    parser.add_argument("--target", default="targets/local.yaml")
    parser.add_argument("--commit", action="store_true", help="count only runs of the commit that is checked out")
    return parser.parse_args()


def main() -> int:
    """Run until the table is full or time is up; exit 1 if a row is a FAIL or broken."""
    options = arguments()
    table, version, began_s = OUT / f"{options.experiment.replace('/', '.')}.jsonl", commit(), time.monotonic()
    wanted, vain = version if options.commit else "", 0
    while len(judged(rows := read_rows(table, wanted))) < options.runs and time.monotonic() - began_s < options.for_s and vain < MOST_VAIN:
        number = len(read_rows(table)) + 1
        row = {"commit": version} | run_once(options.experiment, options.target, OUT / "runs" / f"{number}", seed=number)
        vain = 0 if judged([row]) else vain + 1
        add_rows(table, [row])
        print(f"{len(judged(rows)) + 1}/{options.runs} {row['verdict']}: {row['sentence']}", flush=True)
    show(rows, options.experiment)
    if options.write:
        command = f"make soak RUNS={options.runs} && python -m bench.accuracy.soak --runs {options.runs} --write {options.write}"
        options.write.write_text(page(rows, options.experiment, command))
    return int(any(row["verdict"] in {"FAIL", "BROKEN"} for row in rows))


if __name__ == "__main__":
    sys.exit(main())
