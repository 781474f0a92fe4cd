"""``python -m bench.weak``: weak platform → caught? → by which check → its sentence; the hardened one beside it. Resumable.

The embedded cluster must stand (`make deploy`); at the end the hardened platform is on it again. Platforms with a queue of jobs are tried
last, and their namespace stays, without a weakness. A trial that comes to no verdict does not end the campaign. Exit code 1: a weakness
was not caught in every run, the hardened platform failed, or a trial is missing. ``--only NAME`` tries one platform; ``--anew``
tries again what was tried.
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
from bench.weak.trial import NONE, NoVerdict, Trial, digest_of, put, run_trial, without_verdict
from bench.weak.weaknesses import BY_VARIANT, HARDENED, TARGETS, WEAKNESSES, base_of, experiments_of, of_base
from workloads.deploy import DeployFailed

OUT = ROOT / "reports" / "out" / "weak"


def trials(options: argparse.Namespace) -> Iterator[Trial]:
    """Yield the trials that are asked for, those of one platform together, and each platform without a weakness after its weak ones."""
    for base in TARGETS:
        for one in of_base(base):
            yield from (Trial(one.variant, one.experiment, number) for number in range(1, options.runs + 1))
        yield from (Trial(base, name, number) for number in range(1, options.hardened + 1) for name in experiments_of(base))


def chosen(options: argparse.Namespace) -> list[Trial]:
    """Return those of the trials that ``--only`` leaves."""
    return [one for one in trials(options) if options.only in (None, one.variant.rpartition("/")[2])]


def campaign(options: argparse.Namespace) -> list[Row]:
    """Run what is missing until time is up, and return the rows of all trials asked for. Raises NoVerdict, DeployFailed.

    A trial that comes to no verdict is a row that says why; the next campaign tries it again.
    """
    until_s, rows, stands = time.monotonic() + options.for_s, [], HARDENED
    known = {(row["trial"], row["digest"]): row for row in rows_of(options.table) if row["verdict"] != NONE}
    try:
        for variant, those in groupby(chosen(options), key=lambda one: one.variant):
            failed = ""
            for trial in those:
                key = (trial.name, digest_of(trial))
                if (options.anew or key not in known) and time.monotonic() < until_s:
                    if stands == variant and variant in BY_VARIANT and BY_VARIANT[variant].stays:
                        stands = base_of(variant)
                        _put(stands)
                    if stands != variant:
                        stands, failed = variant, _put(variant)
                    known[key] = _tried(trial, key[1], options.table, failed)
                rows += [known[key]] if key in known else []
    finally:
        for variant in ending(stands):
            put(variant)
    return rows


def _put(variant: str) -> str:
    """Put ``variant`` on the cluster; return why that failed, for each of its trials."""
    try:
        put(variant)
    except NoVerdict as failure:
        return str(failure)
    return ""


def ending(stands: str) -> list[str]:
    """Return what must be put on the cluster at the end: the strong platform of which one stands weakly, then the hardened one."""
    return [variant for variant in dict.fromkeys((base_of(stands), HARDENED)) if variant != stands]


def _tried(trial: Trial, digest: str, table: Path, failed: str) -> Row:
    out = table.parent / trial.name
    shutil.rmtree(out, ignore_errors=True)
    try:
        row = without_verdict(trial, out, failed) if failed else run_trial(trial, out)
    except NoVerdict as failure:
        row = without_verdict(trial, out, str(failure))
    add_rows(table, [row | {"digest": digest}])
    return rows_of(table)[-1]


def missed(rows: list[Row], options: argparse.Namespace) -> list[str]:
    """Return what is not as it must be, a sentence each."""
    uncaught = [row for row in rows if row["variant"] in BY_VARIANT and not caught(BY_VARIANT[row["variant"]], row)]
    alarms = [row for row in rows if row["variant"] in TARGETS and row["verdict"] == "FAIL"]
    none = [row for row in rows if row["variant"] in TARGETS and row["verdict"] == NONE]
    asked = len(chosen(options))
    said = [f"{row['trial']}: not caught by {BY_VARIANT[row['variant']].check}: {row['verdict']}: {row['sentence']}" for row in uncaught]
    said += [f"{row['trial']}: a false alarm: {row['sentence']}" for row in alarms]
    said += [f"{row['trial']}: {row['sentence']}" for row in none]
    return said + ([f"{asked - len(rows)} of {asked} trials are missing"] if len(rows) < asked or not asked else [])


def main() -> int:
    """Run, show, publish; exit 1 if something is not as it must be."""
    parser = pages.parser_of("bench.weak", __doc__)
    pages.add_time_limit(parser)
    parser.add_argument("--runs", type=int, default=2, help="of each weak platform (default: %(default)s)")
    parser.add_argument(
        "--hardened", type=int, default=1, help="of each experiment on a platform without a weakness (default: %(default)s)"
    )
    parser.add_argument("--only", choices=[*TARGETS, *(one.name for one in WEAKNESSES)], help="try this platform alone")
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
