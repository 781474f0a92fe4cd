"""``python -m bench.soak``: repeat one experiment until a table holds N runs of this commit; stop and resume at any time.

The table is ``reports/out/soak/<experiment>.jsonl``: one line a run (commit, verdict, sentence, RTO, resolution, send lag), appended
when the run has been judged. No run is left out: one that broke before its verdict is a row too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
OUT = ROOT / "reports" / "out" / "soak"


def commit() -> str:
    """Return the commit under test, marked if the tree differs from it."""
    return subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def rows_of(table: Path, version: str) -> list[dict[str, Any]]:
    """Return the rows of this commit; the table may not exist yet."""
    lines = table.read_text().splitlines() if table.exists() else []
    return [row for row in map(json.loads, lines) if row["commit"] == version]


def run_once(experiment: str, target: str, out: Path, seed: int) -> dict[str, Any]:
    """Carry out one run and return its row."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "chaos",
        "-q",
        f"--chaos-target={target}",
        f"--chaos-out={out}",
        f"--chaos-seed={seed}",
    ]
    done = subprocess.run([*command, "-k", experiment.rsplit("/", 1)[-1]], cwd=ROOT, capture_output=True, text=True, check=False)
    report = out / "latest" / "report.json"
    if not report.exists():
        return {"exit": done.returncode, "verdict": "BROKEN", "sentence": done.stdout[-400:]}
    trial = json.loads(report.read_text())["experiments"][0]["trials"][0]
    load = trial["load"] or {}
    return {
        "exit": done.returncode,
        "verdict": trial["verdict"],
        "sentence": trial["sentence"],
        "rto_s": trial["rto_s"],
        "resolution_s": trial["rto_resolution_s"],
        "send_lag_p99_ms": load.get("send_lag_p99_ms"),
    }


def show(rows: list[dict[str, Any]], experiment: str, version: str) -> None:
    """Print the table and its sum."""
    table = Table("run", "verdict", "RTO s", "resolution s", "send lag p99 ms", "sentence", title=f"{experiment} at {version}")
    for number, row in enumerate(rows, 1):
        figures = [f"{row[key]:.3f}" if isinstance(row.get(key), float) else "–" for key in ("rto_s", "resolution_s", "send_lag_p99_ms")]
        table.add_row(str(number), row["verdict"], *figures, row["sentence"])
    Console().print(table)
    counts = Counter(row["verdict"] for row in rows)
    print(f"{len(rows)} runs: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))


def main() -> int:
    """Run until the table is full; exit 1 if a row is a FAIL or broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--experiment", default="control/null-control")
    parser.add_argument("--target", default="targets/local.yaml")
    options = parser.parse_args()
    table, version = OUT / f"{options.experiment.replace('/', '.')}.jsonl", commit()
    table.parent.mkdir(parents=True, exist_ok=True)
    while (done := len(rows_of(table, version))) < options.runs:
        row = {"commit": version} | run_once(options.experiment, options.target, OUT / "runs" / f"{done + 1}", seed=done + 1)
        with table.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{done + 1}/{options.runs} {row['verdict']}: {row['sentence']}", flush=True)
    rows = rows_of(table, version)
    show(rows, options.experiment, version)
    return int(any(row["verdict"] in {"FAIL", "BROKEN"} for row in rows))


if __name__ == "__main__":
    sys.exit(main())
