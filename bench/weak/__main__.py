"""``python -m bench.weak``: weak platform → caught? → by which check → its sentence; the hardened one beside it. Resumable.

The embedded cluster must stand (`make deploy`); at the end the hardened platform is on it again. Exit code 1: a weakness was not caught in
every run, the hardened platform failed, or a trial is missing. ``--only NAME`` tries one platform; ``--anew`` tries again what was tried.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from bench.common import pages
from bench.common.tables import ROOT, Row, add_rows, rows_of
from bench.weak.page import caught, page
from bench.weak.trial import NoVerdict, Trial, digest_of, put, run_trial
from bench.weak.weaknesses import EXPERIMENTS, HARDENED, WEAKNESSES
from workloads.deploy import DeployFailed

OUT = ROOT / "reports" / "out" / "weak"
TARGET = ROOT / "targets" / "local.yaml"


def trials(options: argparse.Namespace) -> Iterator[Trial]:
    """Yield the trials that are asked for, those of one platform together."""
    for one in WEAKNESSES:
        yield from (Trial(one.variant, one.experiment, number) for number in range(1, options.runs + 1))
    yield from (Trial(HARDENED, name, number) for number in range(1, options.hardened + 1) for name in EXPERIMENTS)


def campaign(options: argparse.Namespace) -> list[Row]:
    """Run what is missing until time is up, and return the rows of all trials asked for. Raises NoVerdict, DeployFailed."""
    until_s, rows, stands = time.monotonic() + options.for_s, [], HARDENED
    chosen = [one for one in trials(options) if options.only in (None, one.variant.rpartition("/")[2])]
    known = {(row["trial"], row["digest"]): row for row in rows_of(options.table)}
    try:
        for variant, those in groupby(chosen, key=lambda one: one.variant):
            for trial in those:
                key = (trial.name, digest_of(trial, TARGET))
                if (options.anew or key not in known) and time.monotonic() < until_s:
                    if stands != variant:
                        put(variant)
                        stands = variant
                    known[key] = _tried(trial, key[1], options.table)
                rows += [known[key]] if key in known else []
    finally:
        if stands != HARDENED:
            put(HARDENED)
    return rows


def _tried(trial: Trial, digest: str, table: Path) -> Row:
    out = table.parent / trial.name
    shutil.rmtree(out, ignore_errors=True)
    row = run_trial(trial, TARGET, out) | {"digest": digest}
    add_rows(table, [row])
    return rows_of(table)[-1]


def missed(rows: list[Row], options: argparse.Namespace) -> list[str]:
    """Return what is not as it must be, a sentence each."""
    by_variant = {one.variant: one for one in WEAKNESSES}
    uncaught = [row for row in rows if row["variant"] in by_variant and not caught(by_variant[row["variant"]], row)]
    alarms = [row for row in rows if row["variant"] == HARDENED and row["verdict"] == "FAIL"]
    asked = sum(options.only in (None, one.variant.rpartition("/")[2]) for one in trials(options))
    said = [f"{row['trial']}: not caught by {by_variant[row['variant']].check}: {row['verdict']}: {row['sentence']}" for row in uncaught]
    said += [f"{row['trial']}: a false alarm: {row['sentence']}" for row in alarms]
    return said + ([f"{asked - len(rows)} of {asked} trials are missing"] if len(rows) < asked or not asked else [])


def main() -> int:
    """Run, show, publish; exit 1 if something is not as it must be."""
    parser = pages.parser_of("bench.weak", __doc__)
    pages.add_time_limit(parser)
    parser.add_argument("--runs", type=int, default=2, help="of each weak platform (default: %(default)s)")
    parser.add_argument("--hardened", type=int, default=1, help="of each experiment on the hardened platform (default: %(default)s)")
    parser.add_argument("--only", choices=[HARDENED, *(one.name for one in WEAKNESSES)], help="try this platform alone")
    parser.add_argument("--anew", action="store_true", help="try again what was tried before")
    parser.add_argument("--table", type=Path, default=OUT / "trials.jsonl", help="where the trials are kept")
    options = parser.parse_args()
    try:
        rows = campaign(options)
    except (NoVerdict, DeployFailed) as failure:
        print(f"weak: {failure}", file=sys.stderr)
        return 1
    if rows:
        pages.publish(page(rows), options.write)
        print(*(f"weak: report of {row['trial']}: {row['report']}/index.html" for row in rows), sep="\n")
    wrong = missed(rows, options)
    for text in wrong:
        print(f"weak: {text}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
