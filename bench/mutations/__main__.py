"""``python -m bench.mutations``: the suite under test, mutated: none of the mutants may pass, each twin must. Stop and resume at any time.

A case is carried out twice: by the suite's own phases with real load and the API in memory, and (``--platform``) as a whole session of
``pytest -m chaos`` on the embedded platform (``make deploy``). Rows are kept in ``reports/out/mutations.jsonl``; recorded runs are judged
again each time. ``--write FILE`` publishes the joint table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench.common.tables import Row, add_rows, rows_of
from bench.mutations import memory, session
from bench.mutations.cases import CASES, Case
from bench.mutations.memory import MEMORY
from bench.mutations.page import page, wrong
from bench.mutations.recorded import judge_all
from bench.mutations.session import PLATFORM, ROOT, Told
from target.values import parse_duration

TABLE = ROOT / "reports" / "out" / "mutations.jsonl"


def latest_of(table: Path) -> dict[tuple[str, str], Row]:
    """Return the latest row of each case in each place."""
    return {(row["name"], row["where"]): row for row in rows_of(table)}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.mutations", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--platform", action="store_true", help="on the embedded platform too")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name contains this, done again")
    parser.add_argument("--for", dest="for_s", type=parse_duration, default=float("inf"), metavar="TIME", help="begin no case after this")
    parser.add_argument("--again", action="store_true", help="do cases again that did not come out right")
    parser.add_argument("--write", type=Path, metavar="FILE", help="publish the joint table there")
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


def carry_out(case: Case, where: str) -> Told:
    """Carry out one case; its files are thrown away."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        return session.run(case, Path(folder)) if where == PLATFORM else memory.run(case, Path(folder))


def main() -> int:
    """Do what is left, judge the recorded runs; exit 1 if a row is not right, or one in memory is missing."""
    options, began_s = arguments(), time.monotonic()
    for case, where in to_do(options):
        if time.monotonic() - began_s > options.for_s:
            break
        told = carry_out(case, where)
        add_rows(TABLE, [told.row()])
        said = f"{case.name} ({where}): {told.verdict}: {told.check}: {told.sentence}"
        print(f"{'right' if told.right else 'WRONG'}: {said} ({told.seconds:.0f} s)", flush=True)
    known = latest_of(TABLE)
    rows = [row for where in (MEMORY, PLATFORM) for case in cases_of(where) if (row := known.get((case.name, where)))]
    rows += [told.row() for told in judge_all()] if options.write else []
    if options.write:
        options.write.write_text(page(rows, f"python -m bench.mutations --platform --write {options.write}"))
    missing = [case.name for case in cases_of(MEMORY) if (case.name, MEMORY) not in known]
    print(f"{len(rows)} rows; wrong: {wrong(rows) or 'none'}; not done yet: {missing or 'none'}")
    return int(bool(wrong(rows) or missing))


if __name__ == "__main__":
    sys.exit(main())
