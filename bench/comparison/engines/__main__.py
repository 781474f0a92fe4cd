"""``python -m bench.comparison.engines``: run the set once against a target, add the pass to the table, and write the page of all passes.

The platform of the target must stand (`make deploy`, with STACKS=vllm for vLLM). `--page` runs nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.common import pages
from bench.common.tables import ROOT, add_rows, rows_of
from bench.comparison.engines.page import page
from bench.comparison.engines.passes import run_pass

OUT = ROOT / "reports" / "out" / "engines"
TABLE = OUT / "passes.jsonl"


def main(argv: list[str] | None = None) -> int:
    """Run a pass unless told not to; exit code 1 if there is none to write about."""
    parser = pages.parser_of("bench.comparison.engines", __doc__)
    parser.add_argument("--target", type=Path, default=ROOT / "targets/vllm.yaml")
    parser.add_argument("--answers", default="", choices=["", "unknown"], help="judge the form of answers alone")
    parser.add_argument("--page", action="store_true", help="run nothing, write about the passes that there are")
    options = parser.parse_args(argv)
    if not options.page:
        number = len(rows_of(TABLE)) + 1
        add_rows(TABLE, [run_pass(options.target, OUT / f"{number}", options.answers)])
    rows = rows_of(TABLE)
    if not rows:
        print(f"there is no pass in {TABLE}; run one: python -m bench.comparison.engines --target targets/vllm.yaml", file=sys.stderr)
        return 1
    pages.publish(page(rows), options.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
