"""``python -m bench.comparison.false_passes``: case → what Chaos Toolkit's defaults say → what this suite says, by running both."""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from platform import python_version

from bench.common import pages
from bench.common.tables import circumstances
from bench.comparison.false_passes import suite, toolkit
from bench.comparison.false_passes.cases import CASES, TWINS, Case

MODULE = "bench.comparison.false_passes"
COMMAND = f"python -m {MODULE} --write docs/results/false-passes.md"
Row = tuple[Case, toolkit.Result, suite.Result]


def main() -> int:
    """Print or write the table; exit 1 if this suite passes a case, or does not pass a twin."""
    parser = pages.parser_of(MODULE, __doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases whose name contains this")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="false-passes-") as folder:
        for number, case in enumerate(case for case in (*TWINS, *CASES) if options.only in case.name):
            place = Path(folder) / str(number)
            theirs, ours = toolkit.run(case, place / "toolkit"), suite.run(case, place / "suite")
            rows.append((case, theirs, ours))
            print(f"{case.name}: {theirs.text()} | {ours.verdict} by {ours.check}", file=sys.stderr, flush=True)
    pages.publish(page(rows), options.write)
    return int(any((ours.verdict == "PASS") is (case not in TWINS) for case, _, ours in rows))


def page(rows: list[Row]) -> str:
    """Return the page."""
    cases = [row for row in rows if row[0] not in TWINS]
    green = sum(theirs.green for _, theirs, _ in cases)
    passed = sum(ours.verdict == "PASS" for _, _, ours in cases)
    frozen = sum(theirs.left_stopped for _, theirs, _ in cases), sum(ours.left_stopped for _, _, ours in cases)
    return pages.page(
        "False passes",
        COMMAND,
        [circumstances()],
        f"Every row is one experiment file, run by both tools. Of {len(cases)} cases Chaos Toolkit with its defaults calls {green} "
        f"a success (exit 0) and leaves the server frozen in {frozen[0]}; this suite passes {passed} and leaves it frozen in {frozen[1]}. "
        "The twins are the same experiments without the flaw; they must pass.",
        f"Chaos Toolkit {version('chaostoolkit')} (library {version('chaostoolkit-lib')}), Python {python_version()}. "
        "`chaos run` gets the options that the case names, nothing else. Targets are pods of an API server in memory; "
        "the server that users ask, the freeze (SIGSTOP), the load and the signals are real. "
        "Left out is what only a cluster has: the reaper's Job, which ends the fault of a run that was killed outright.",
        pages.table(("Case", "Chaos Toolkit", "This suite", "Check", "Its sentence"), (_row(*row) for row in rows)),
    )


def _row(case: Case, theirs: toolkit.Result, ours: suite.Result) -> tuple[str, ...]:
    check = case.expected.check if case.expected.check in ours.checks else ours.check
    frozen = f", {toolkit.FROZEN}" if ours.left_stopped else ""
    return case.name, theirs.text(), f"{ours.verdict}{frozen}", check, ours.checks[check][1]


if __name__ == "__main__":
    sys.exit(main())
