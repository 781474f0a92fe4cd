"""``python -m bench.campaigns.alone``: each fault alone on a cluster, without load. Resumable.

The cluster is that of the target file ``--target``; its nodes in zones a and b are used. Nothing of its own is touched. The table is
``reports/out/alone/trials.jsonl``; a rerun tries what is missing or went wrong.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

import yaml

from bench.campaigns.alone.pace import unhurried
from bench.campaigns.alone.page import lacking, page
from bench.campaigns.alone.scene import demand_well, left, scene
from bench.campaigns.alone.trial import missed, tried
from bench.campaigns.alone.trials import Trial, trials
from bench.campaigns.kill.slots import Platforms
from bench.common import pages
from bench.common.tables import ROOT, Row, add_rows, rows_of
from history.errors import AftershockError

OUT = ROOT / "reports" / "out" / "alone"


def campaign(options: argparse.Namespace) -> None:
    """Try what is missing, one fault after the other, until time is up."""
    until_s = time.monotonic() + options.for_s
    names = [name for name in lacking(rows_of(options.table)) if not options.only or name in options.only]
    every, folder = trials(options.slower_by), options.table.parent / "alone"
    if not names:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with unhurried(options.slower_by), scene(folder, yaml.safe_load(options.target.read_text()), options.slower_by) as platforms:
        for name in names:
            if time.monotonic() > until_s:
                return
            row = one(every[name], platforms, folder, options.slower_by)
            add_rows(options.table, [row])
            print(f"{name}: {'; '.join(missed(row)) or 'proven'} ({row['seconds']:g} s)", flush=True)


def one(trial: Trial, platforms: Platforms, folder: Path, slower_by: float) -> Row:
    """Carry out one trial on its platform, and wait until that is well again; return its row."""
    began_s, platform = time.monotonic(), platforms[trial.slot.name]
    row = tried(trial, platform, folder / f"{trial.name}-{time.time_ns()}", slower_by)
    try:
        demand_well(platforms)
    except AftershockError as error:
        row["error"] = row["error"] or str(error)
    return row | {"left": left(platform), "slower_by": slower_by, "seconds": round(time.monotonic() - began_s, 1)}


def main() -> int:
    """Run, show, publish; exit 1 if a fault is missing or missed a bound."""
    parser = pages.parser_of("bench.campaigns.alone", __doc__)
    pages.add_time_limit(parser)
    parser.add_argument("--target", type=Path, default=ROOT / "targets" / "local.yaml", metavar="FILE", help="whose cluster")
    parser.add_argument("--table", type=Path, default=OUT / "trials.jsonl", metavar="FILE", help="where the trials are kept")
    parser.add_argument("--slower-by", type=float, default=1.0, metavar="TIMES", help="how much slower than usual the processor is")
    parser.add_argument("--only", nargs="+", default=[], metavar="FAULT", help="these faults alone: faults.pods.kill")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the platform is removed
    if options.write is None:
        campaign(options)
    rows = rows_of(options.table)
    pages.publish(page(rows), options.write)
    return int(bool(lacking(rows)))


if __name__ == "__main__":
    sys.exit(main())
