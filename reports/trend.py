"""``python -m reports trend PLACE``: the nights of a folder or a bucket as one page, without a cluster."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from history.errors import AftershockError
from history.values import FrozenModel
from nights.record import Night
from nights.shelf import Shelf
from nights.store.place import open_store
from nights.trend import MOST_POINTS, Trend, trends
from reports.output import write_whole
from reports.page.html import trend_html
from verdict.words import count

NIGHTS = "reports/out/nights"
OUT = Path("reports/out/trend")


class Trends(FrozenModel):
    """``trend.json``: all that the page shows."""

    place: str
    nights: tuple[str, ...]  # their names, oldest first
    trends: tuple[Trend, ...]
    notes: tuple[str, ...] = ()


def trends_of(place: str, nights: Sequence[Night], notes: Sequence[str] = (), most: int = MOST_POINTS) -> Trends:
    """Arrange ``nights`` (oldest first) for the page."""
    unread = [f"{night.night}: {one.name} cannot be read: {one.reason}" for night in nights for one in night.unread]
    return Trends(place=place, nights=tuple(one.night for one in nights), trends=tuple(trends(nights, most)), notes=(*notes, *unread))


def main(arguments: Sequence[str]) -> int:
    """Write the page and return the exit code: 0 done; 1 a run could not be read (the page says why); 2 wrong usage; 11 refused."""
    parser = argparse.ArgumentParser(
        prog="python -m reports trend", description="Write trend.html and trend.json of the nights that are kept."
    )
    parser.add_argument("place", nargs="?", default=NIGHTS, metavar="PLACE", help="a folder or s3://BUCKET/PREFIX (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where the page goes (default: %(default)s)")
    parser.add_argument("--most", type=int, default=MOST_POINTS, metavar="N", help="nights of each experiment (default: %(default)s)")
    options = parser.parse_args(arguments)
    notes: list[str] = []
    try:
        shelf = Shelf(open_store(options.place), notes.append)
        found = trends_of(shelf.place, shelf.nights(), notes, max(1, options.most))
    except AftershockError as error:
        print(error, file=sys.stderr)
        return 11
    print("\n".join(found.notes), file=sys.stderr, end="\n" if found.notes else "")
    page = write_whole(options.out, {"trend.json": found.model_dump_json(), "trend.html": trend_html(found)}) / "trend.html"
    print(f"{count(len(found.nights), 'night')}, {count(len(found.trends), 'experiment')}\n{page}")
    return int(bool(found.notes))
