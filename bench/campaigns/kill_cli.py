"""The command line of the kill campaign and of its kin: whose cluster, how many at once, for how long; the page at the end."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from bench.campaigns.kill_platform import AT_ONCE, ROOT
from bench.common.tables import Row, rows_of
from target.values import parse_duration


def parser_of(module: str, about: str | None) -> argparse.ArgumentParser:
    """Return the options that both have; ``about``: the module's docstring."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{module}", description=(about or "").splitlines()[0])
    parser.add_argument("--target", type=Path, default=ROOT / "targets" / "local.yaml", metavar="FILE", help="whose cluster")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="small platforms, a session on each (default: %(default)s)")
    parser.add_argument("--for", dest="for_s", type=parse_duration, default=3600.0, metavar="TIME", help="no longer than this")
    parser.add_argument("--write", type=Path, metavar="FILE", help="publish the table, without further trials")
    return parser


def conclude(
    options: argparse.Namespace,
    table: Path,
    campaign: Callable[[argparse.Namespace], None],
    page: Callable[[list[Row]], str],
    missed: Callable[[list[Row]], bool],
) -> int:
    """Carry out the campaign unless the table is only to be published; show it. Return 1 if a bound was missed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that platforms and machines are removed
    if options.write is None:
        campaign(options)
    rows = rows_of(table)
    text = page(rows)
    if options.write is not None:
        options.write.write_text(text)
    print(text)
    return int(missed(rows))
