"""``python -m bench.comparison.chaos_mesh``: run the set once by Chaos Mesh and once by fault pods, let a deletion hang, write the page.

The cluster of `make chaos-mesh` must stand. `--page` runs nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.common import pages
from bench.common.tables import ROOT, add_rows, rows_of
from bench.comparison.chaos_mesh.hang import let_hang
from bench.comparison.chaos_mesh.page import page
from bench.comparison.chaos_mesh.passes import MECHANISMS, run_pass
from kube.client import connect
from target.target import load_target

OUT = ROOT / "reports" / "out" / "chaos-mesh"
PASSES, HANGS = OUT / "passes.jsonl", OUT / "hangs.jsonl"


def main(argv: list[str] | None = None) -> int:
    """Run both passes and the deletion unless told not to; exit code 1 if there is nothing to write about."""
    parser = pages.parser_of("bench.comparison.chaos_mesh", __doc__)
    parser.add_argument("--target", type=Path, default=ROOT / "targets/chaos-mesh.yaml")
    parser.add_argument("--page", action="store_true", help="run nothing, write about what there is")
    options = parser.parse_args(argv)
    if not options.page:
        for mechanism in MECHANISMS:
            number = len(rows_of(PASSES)) + 1
            add_rows(PASSES, [run_pass(options.target, mechanism, OUT / f"{number}")])
        add_rows(HANGS, [let_hang(connect(load_target(options.target)))])
    passes, hangs = rows_of(PASSES), rows_of(HANGS)
    if not passes or not hangs:
        print(f"there is no pass in {PASSES}; on the cluster of make chaos-mesh: python -m bench.comparison.chaos_mesh", file=sys.stderr)
        return 1
    pages.publish(page(passes, hangs), options.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
