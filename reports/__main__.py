"""``python -m reports RUN…``: render stored runs again, without a cluster; ``trend``: nights; ``side-by-side``: two targets."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from history.errors import ConfigError
from nights.waivers_file import read_waivers
from reports import side_by_side, trend
from reports.build import Context, build
from reports.model import Report
from reports.night.earlier import Asked, earlier
from reports.night.waived import known_fails, waiver_notes
from reports.output import write
from reports.page.junit import INCONCLUSIVE

OUT = Path("reports/out/latest")
SCHEMA = Path(__file__).parent / "report.schema.json"


def schema() -> str:
    """Return the JSON Schema of ``report.json``."""
    return json.dumps(Report.model_json_schema(by_alias=True, mode="serialization"), indent=1) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Render and return the exit code: 0 all runs are shown; 1 a run, or nights, could not be read (the report says why); 2 wrong usage."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["trend"]:
        return trend.main(given[1:])
    if given[:1] == ["side-by-side"]:
        return side_by_side.main(given[1:])
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Render stored runs into index.html, report.json, junit.xml and summary.md; python -m verdict judges them again.",
        epilog="python -m reports trend PLACE: the trend of kept nights; python -m reports side-by-side: two targets or two images. "
        "Exit codes: 0 all runs are shown; 1 a run, or nights, could not be read, and the report says why; 2 wrong usage.",
    )
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="folder of a judged run")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where the report goes (default: %(default)s)")
    parser.add_argument("--title", default=Context().title, help="shown above the verdict (default: %(default)s)")
    parser.add_argument(
        "--junit-inconclusive", choices=INCONCLUSIVE, default="error", help="as what junit.xml counts it (default: %(default)s)"
    )
    _add_past(parser)
    parser.add_argument("--write-schema", action="store_true", help="write the JSON Schema of report.json beside this module and exit")
    options = parser.parse_args(given)
    if options.write_schema:
        SCHEMA.write_text(schema())
        return 0
    if not options.runs:
        parser.error("no run was named; name the folders of stored runs, for example reports/out/runs/*")
    try:
        context = _context(options)
    except ConfigError as error:
        parser.error(f"--waivers: {error}")
    return _render(options, context)


def _add_past(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--nights", default="", metavar="PLACE", help="compare with the nights that are kept there; none is kept by this")
    parser.add_argument(
        "--compare", metavar="RUN", nargs="?", const="",
        help="say what changed since RUN: a kept night or the folder of a run (default: the last comparable night)",
    )  # fmt: skip
    parser.add_argument("--waivers", type=Path, metavar="FILE", help="known FAILs, weighed on the day on which each run began")


def _context(options: argparse.Namespace) -> Context:
    """Return what the run folders do not say. Raises ConfigError: the file of waivers is wrong."""
    waivers = read_waivers(options.waivers) if options.waivers else None
    return Context(
        title=options.title,
        past=earlier(options.runs, Asked(options.nights, options.compare)).past,
        known_fails=known_fails(options.runs, waivers),
        waiver_notes=waiver_notes(options.runs, waivers),
    )


def _render(options: argparse.Namespace, context: Context) -> int:
    report = build(options.runs, context)
    unread = [item.reason for item in report.not_tested if item.kind == "unreadable"] + list(context.past.notes if context.past else ())
    for reason in unread:
        print(reason, file=sys.stderr)
    print(f"{report.verdict}: {report.sentence}\n{write(report, options.out, options.junit_inconclusive)}")
    return int(bool(unread))


if __name__ == "__main__":
    sys.exit(main())
