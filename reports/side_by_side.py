"""``python -m reports side-by-side --first RUN… --second RUN…``: two targets or two images, run with one seed, as one page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from history.errors import AftershockError
from history.values import FrozenModel
from nights.of_session import night_of
from nights.side_by_side import SideBySide, side_by_side
from reports.output import write_whole
from reports.page.html import side_by_side_html
from reports.page.sides import headline

OUT = Path("reports/out/side-by-side")


class Sides(FrozenModel):
    """``side-by-side.json``: all that the page shows."""

    sentence: str
    sides: SideBySide
    notes: tuple[str, ...] = ()  # runs that cannot be read


def sides_of(first: Sequence[Path], second: Sequence[Path], names: tuple[str, str]) -> Sides:
    """Read both sides and hold them against each other.

    Raises:
        NightsError: no run of a side can be read, a side holds runs of several targets, or a run stands on both.

    """
    nights = night_of(first), night_of(second)
    found = side_by_side(*nights, names)
    notes = tuple(
        f"{name}: {one.name} cannot be read: {one.reason}" for night, name in zip(nights, names, strict=True) for one in night.unread
    )
    return Sides(sentence=headline(found), sides=found, notes=notes)


def main(arguments: Sequence[str]) -> int:
    """Write the page and return the exit code: 0 done; 1 a run could not be read (the page says why); 2 wrong usage; 11 refused."""
    options = _parser().parse_args(arguments)
    try:
        found = sides_of(options.first, options.second, tuple(options.names))
    except AftershockError as error:
        print(error, file=sys.stderr)
        return 11
    print("\n".join(found.notes), file=sys.stderr, end="\n" if found.notes else "")
    files = {"side-by-side.json": found.model_dump_json(), "side-by-side.html": side_by_side_html(found)}
    print(f"{found.sentence}\n{write_whole(options.out, files) / 'side-by-side.html'}")
    return int(bool(found.notes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports side-by-side",
        description="Two targets, or two images of one, run with one --chaos-seed: what differs beyond the spread of their trials.",
        epilog="Exit codes: 0 done; 1 a run could not be read, and the page says why; 2 wrong usage; 11 refused.",
    )
    for side in ("first", "second"):
        parser.add_argument(f"--{side}", nargs="+", type=Path, required=True, metavar="RUN", help=f"folders of the {side} side's runs")
    parser.add_argument(
        "--names", nargs=2, default=("first", "second"), metavar=("FIRST", "SECOND"), help="what the sides are called, such as v1 v2"
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where the page goes (default: %(default)s)")
    return parser
