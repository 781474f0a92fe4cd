"""``python -m bench.field llm|cluster``: every input of the field, what was measured, what is right; exit code 1 if one differs."""

from __future__ import annotations

import argparse
import sys

from bench.common.tables import circumstances
from bench.field.cases import Case, Seen, all_cases
from history.errors import AftershockError

PARTS = {
    "llm": ("answers", "verdicts", "training", "report"),
    "cluster": ("prometheus", "kubeconfig", "files", "workloads", "health", "undo", "pytest"),
}


def main() -> int:
    """Run the cases of an area, print a table as they end, and return 1 if one differs."""
    parser = argparse.ArgumentParser(prog="python -m bench.field", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("area", choices=sorted(PARTS))
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases whose input contains this")
    options = parser.parse_args()
    cases = [one for one in all_cases() if one.part in PARTS[options.area] and options.only in one.given]
    print(f"{len(cases)} inputs, {circumstances()}\n| part | input | measured | right | |\n|---|---|---|---|---|")
    wrong = sum(not _printed(one, _run(one)) for one in sorted(cases, key=lambda one: PARTS[options.area].index(one.part)))
    print(f"\n{wrong} of {len(cases)} differ")
    return 1 if wrong or not cases else 0


def _run(one: Case) -> Seen:
    try:
        return one.run()
    except (AftershockError, OSError, ValueError) as error:
        return Seen(f"{type(error).__name__}: {error}", right=False)


def _printed(one: Case, seen: Seen) -> bool:
    cells = (one.part, one.given, seen.text, one.right, "" if seen.right else "DIFFERS")
    print("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |", flush=True)
    return seen.right


if __name__ == "__main__":
    sys.exit(main())
