"""``python -m bench.mutations``: the suite under test, mutated: none of the mutants may pass, each twin must. Resumable.

A case is carried out twice: by the suite's own phases with real load and the API in memory, and, with ``--platform``, as a whole session
of ``pytest -m chaos`` on the embedded platform (``make deploy``). Rows are kept in ``reports/out/mutations.jsonl``. Recorded runs are
judged again each time. ``--write FILE`` publishes the joint table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench.common.pages import add_time_limit, parser_of
from bench.common.tables import ROOT, Row, add_rows, circumstances, rows_of
from bench.mutations import memory, session
from bench.mutations.cases import CASES, MEMORY, PLATFORM, Case
from bench.mutations.page import page, wrong
from bench.mutations.recorded import judge_all

TABLE = ROOT / "reports" / "out" / "mutations.jsonl"


def latest_of(table: Path) -> dict[tuple[str, str], Row]:
    """Return the latest row of each case in each place."""
    return {(row["name"], row["where"]): row for row in rows_of(table)}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_of("bench.mutations", __doc__)
    add_time_limit(parser)
    parser.add_argument("--platform", action="store_true", help="on the embedded platform too")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name contains this, done again")
    parser.add_argument("--again", action="store_true", help="do cases again that did not come out right")
    return parser.parse_args()


def to_do(options: argparse.Namespace) -> list[tuple[Case, str]]:
    """Return the cases that are left, and where."""
    places = [MEMORY, PLATFORM] if options.platform else [MEMORY]
    known = latest_of(TABLE)
    chosen = [(case, where) for where in places for case in cases_of(where) if options.only in case.name]
    if options.only:
        return chosen
    return [
        (case, where) for case, where in chosen if (row := known.get((case.name, where))) is None or (options.again and not row["right"])
    ]


def cases_of(where: str) -> list[Case]:
    """Return the cases that can be carried out there."""
    return [case for case in CASES if where == PLATFORM or memory.possible(case)]


def try_case(case: Case, where: str) -> session.Result:
    """Try one case; its files are thrown away."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        return session.run(case, Path(folder)) if where == PLATFORM else memory.run(case, Path(folder))


def main() -> int:
    """Do what is left, judge the recorded runs; exit 1 if a row is not right, or one in memory is missing."""
    options, began_s = arguments(), time.monotonic()
    for case, where in to_do(options):
        if time.monotonic() - began_s > options.for_s:
            break
        result = try_case(case, where)
        add_rows(TABLE, [result.row()])
        sentence = f"{case.name} ({where}): {result.verdict}: {result.check}: {result.sentence}"
        print(f"{'right' if result.right else 'WRONG'}: {sentence} ({result.seconds:.0f} s)", flush=True)
    known = latest_of(TABLE)
    rows = [row for where in (MEMORY, PLATFORM) for case in cases_of(where) if (row := known.get((case.name, where)))]
    if options.write:
        now = circumstances()
        rows += [now | result.row() for result in judge_all()]
        options.write.write_text(page(rows, f"python -m bench.mutations --platform --write {options.write}"))
    missing = [case.name for case in cases_of(MEMORY) if (case.name, MEMORY) not in known]
    print(f"{len(rows)} rows; wrong: {wrong(rows) or 'none'}; not done yet: {missing or 'none'}")
    return int(bool(wrong(rows) or missing))


if __name__ == "__main__":
    sys.exit(main())
