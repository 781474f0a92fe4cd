"""The command line of the kill campaign and of its kin: whose cluster, how many at once, for how long; the page at the end."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from bench.campaigns.kill.platform import AT_ONCE
from bench.common import pages
from bench.common.tables import ROOT, Row, rows_of


def parser_of(module: str, about: str | None) -> argparse.ArgumentParser:
    """Return the options that both have; ``about``: the module's docstring."""
    parser = pages.parser_of(module, about)
    pages.add_time_limit(parser, 3600.0)
    parser.add_argument("--target", type=Path, default=ROOT / "targets" / "local.yaml", metavar="FILE", help="whose cluster")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="small platforms, a session on each (default: %(default)s)")
    return parser


def conclude(
    options: argparse.Namespace,
    table: Path,
    campaign: Callable[[argparse.Namespace], None],
    page: Callable[[list[Row]], str],
    missed: Callable[[list[Row]], bool],
) -> int:
    """Carry out the campaign unless ``--write`` asks for the table alone; show it. Return 1 if a bound was missed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that platforms and machines are removed
    if options.write is None:
        campaign(options)
    rows = rows_of(table)
    pages.publish(page(rows), options.write)
    return int(missed(rows))
