"""``python -m bench.accuracy.retries``: one fault on the platform under clients that try again in different ways.

The experiment is carried out once a policy, each time by a session of its own. Its class of workload is changed in nothing but ``retry``.
The runs stay in ``reports/out/retries/<experiment>``, so that policies can be measured one after another (``--policies``);
what is there is compared by :mod:`reports.retries`, as it is in any report that holds such runs (``python -m reports RUN…``).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.common import pages
from bench.common.tables import ROOT, Row, add_rows, rows_of
from history.errors import AftershockError
from history.workloads import Retry
from reports.retries import RetryComparison, compare, markdown, met
from reports.trial import read_judged

OUT = ROOT / "reports" / "out" / "retries"
COMMAND = "python -m bench.accuracy.retries --experiment serving/engine-frozen --write docs/results/retries.md"
MEASURED = "measured.jsonl"  # beside the runs of a session: when, and on how busy a machine
POLICIES: dict[str, Retry] = {
    "none": Retry(),
    "budgeted": Retry(policy="budgeted", max_attempts=3, backoff_ms=50, budget_ratio=0.1),
    "naive": Retry(policy="naive", max_attempts=3, backoff_ms=50),
    "hedged": Retry(policy="hedged", max_attempts=2, hedge_after_ms=400),
}


def write_files(experiment: str, target: Path, policy: str, folder: Path) -> tuple[Path, Path]:
    """Write the experiment and a target whose classes of workload have the retry ``policy``; return folder and file."""
    experiments, written = folder / "experiments", folder / "target.yaml"
    file = experiments / f"{experiment}-{policy}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = yaml.safe_load((ROOT / "experiments" / f"{experiment}.yaml").read_text())
    document["title"] += f" (clients retry: {policy})"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    platform: dict[str, Any] = yaml.safe_load(target.read_text())
    for workload in platform["workloads"].values():
        if "load" in workload:
            workload["load"]["retry"] = POLICIES[policy].model_dump()
    written.write_text(yaml.safe_dump(platform, sort_keys=False))
    return experiments, written


def run_once(experiment: str, target: Path, policy: str, out: Path, seed: int) -> int:
    """Carry out one session and return its exit code."""
    experiments, file = write_files(experiment, target, policy, out)
    options = [f"--chaos-target={file}", f"--chaos-out={out}", f"--chaos-experiments={experiments}", f"--chaos-seed={seed}"]
    return subprocess.run([sys.executable, "-m", "pytest", "-m", "chaos", "-q", *options], cwd=ROOT, check=False).returncode


def comparisons(folder: Path) -> tuple[RetryComparison, ...]:
    """Compare the judged runs below ``folder``; one that cannot be read is named and left out."""
    judged = []
    for path in sorted(folder.glob("*/runs/*")):
        try:
            read = read_judged(path)
        except AftershockError as error:
            print(f"retries: left out: {error}", file=sys.stderr)
            continue
        if read.verdict.complete:
            judged.append(met(read.case, read.verdict.verdict))
        else:
            print(f"retries: left out: {path.name} was stopped before its end", file=sys.stderr)
    return compare(judged)


def page(compared: Sequence[RetryComparison], measured: list[Row], command: str, note: str) -> str:
    """Return docs/results/retries.md; ``note`` says under which circumstances it was measured."""
    return pages.page(
        "Client retries: what they hide from users, and what they cost the platform",
        command,
        measured,
        "Measured on the embedded platform; the same section is part of any report that holds such runs. "
        "Users (requests) and attempts are counted apart, from the fault until healing; no run that came to its end is left out.",
        note,
        "\n".join(line for comparison in compared for line in markdown(comparison)),
    )


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = pages.parser_of("bench.accuracy.retries", __doc__)
    parser.add_argument("--experiment", default="serving/engine-frozen", help="path under experiments/ without its ending (%(default)s)")
    parser.add_argument("--target", type=Path, default=ROOT / "targets" / "local.yaml", help="target file (default: targets/local.yaml)")
    parser.add_argument(
        "--policies", nargs="*", choices=POLICIES, default=list(POLICIES), help="run these (default: all; none: compare only)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--note", default="", help="said in that file: the circumstances of the measurement")
    return parser.parse_args()


def main() -> int:
    """Run and compare; exit 1 if fewer than two policies could be compared."""
    options = arguments()
    folder = OUT / options.experiment.replace("/", ".")
    for policy in options.policies:
        number = len(list(folder.glob(f"{policy}-*"))) + 1
        out = folder / f"{policy}-{number}"
        run_once(options.experiment, options.target, policy, out, options.seed)
        add_rows(out / MEASURED, [{}])
    compared = comparisons(folder)
    for comparison in compared:
        print("\n".join(markdown(comparison)))
    if options.write:
        everything = [comparison for experiment in sorted(OUT.iterdir()) for comparison in comparisons(experiment)]
        measured = [row for out in sorted(OUT.glob("*/*")) for row in rows_of(out / MEASURED) or [{}]]
        options.write.write_text(page(everything, measured, COMMAND, options.note))
    return int(not compared)


if __name__ == "__main__":
    sys.exit(main())
