"""``python -m bench.comparison.false_passes``: case → what Chaos Toolkit's defaults say → what this suite says, by running both."""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from platform import python_version

from bench.comparison.false_passes import suite, toolkit
from bench.comparison.false_passes.cases import CASES, TWINS, Case

COMMAND = "python -m bench.comparison.false_passes --write docs/results/false-passes.md"


def main() -> int:
    """Print or write the table; exit 1 if this suite passes a case, or does not pass a twin."""
    parser = argparse.ArgumentParser(prog="python -m bench.comparison.false_passes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table there (default: print it)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases whose name contains this")
    options = parser.parse_args()
    rows: list[tuple[Case, toolkit.Said, suite.Told]] = []
    with tempfile.TemporaryDirectory(prefix="false-passes-") as folder:
        for number, case in enumerate(one for one in (*TWINS, *CASES) if options.only in one.name):
            place = Path(folder) / str(number)
            rows.append((case, toolkit.run(case, place / "toolkit"), suite.run(case, place / "suite")))
            print(f"{case.name}: {rows[-1][1].text()} | {rows[-1][2].verdict} by {rows[-1][2].check}", file=sys.stderr, flush=True)
    text = table(rows)
    if options.write:
        options.write.write_text(text)
    else:
        print(text)
    return int(any((told.verdict == "PASS") is (case not in TWINS) for case, _, told in rows))


def table(rows: list[tuple[Case, toolkit.Said, suite.Told]]) -> str:
    """Return the table in Markdown, with the command that makes it above."""
    cases = [row for row in rows if row[0] not in TWINS]
    green = sum(said.green for _, said, _ in cases)
    passed = sum(told.verdict == "PASS" for _, _, told in cases)
    frozen = sum(said.left_stopped for _, said, _ in cases), sum(told.left_stopped for _, _, told in cases)
    lines = [
        "# False passes",
        "",
        f"Made by `{COMMAND}`: every row is one experiment file, run by both tools.",
        "",
        f"Of {len(cases)} cases Chaos Toolkit with its defaults calls {green} a success (exit 0) "
        f"and leaves the server frozen in {frozen[0]}; this suite passes {passed} and leaves it frozen in {frozen[1]}. "
        "The twins are the same experiments without the flaw; they must pass.",
        "",
        f"Chaos Toolkit {version('chaostoolkit')} (library {version('chaostoolkit-lib')}), Python {python_version()}. "
        "`chaos run` gets the options that the case names, nothing else. Targets are pods of an API server in memory; "
        "the server that users ask, the freeze (SIGSTOP), the load and the signals are real. "
        "Left out is what only a cluster has: the reaper's Job, which ends the fault of a run that was killed outright.",
        "",
        "| Case | Chaos Toolkit | This suite | Check | Its sentence |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_row(*row) for row in rows), ""])


def _row(case: Case, said: toolkit.Said, told: suite.Told) -> str:
    check = case.expected.check if case.expected.check in told.checks else told.check
    frozen = f", {toolkit.FROZEN}" if told.left_stopped else ""
    sentence = " ".join(told.checks[check][1].split()).replace("|", "/")
    return f"| {case.name} | {said.text()} | {told.verdict}{frozen} | {check} | {sentence} |"


if __name__ == "__main__":
    sys.exit(main())
