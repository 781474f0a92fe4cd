"""``python -m reports RUN…``: render stored runs again, at any time, without a cluster."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from reports.build import Context, build
from reports.model import Report
from reports.output import write

OUT = Path("reports/out/latest")
SCHEMA = Path(__file__).parent / "report.schema.json"


def schema() -> str:
    """Return the JSON Schema of ``report.json``."""
    return json.dumps(Report.model_json_schema(by_alias=True, mode="serialization"), indent=1) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Render and return the exit code: 0 all runs are shown; 1 at least one could not be read (the report says why); 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Render stored runs into index.html, report.json, junit.xml and summary.md; python -m verdict judges them again.",
        epilog="Exit codes: 0 all runs are shown; 1 at least one could not be read, and the report says why; 2 wrong usage.",
    )
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="folder of a judged run")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where the report goes (default: %(default)s)")
    parser.add_argument("--title", default=Context().title, help="shown above the verdict (default: %(default)s)")
    parser.add_argument("--write-schema", action="store_true", help="write the JSON Schema of report.json beside this module and exit")
    options = parser.parse_args(arguments)
    if options.write_schema:
        SCHEMA.write_text(schema())
        return 0
    if not options.runs:
        parser.error("no run was named; name the folders of stored runs, for example reports/out/runs/*")
    return _render(options.runs, options.out, options.title)


def _render(runs: list[Path], out: Path, title: str) -> int:
    report = build(runs, Context(title=title))
    unreadable = [item for item in report.not_tested if item.kind == "unreadable"]
    for item in unreadable:
        print(item.reason, file=sys.stderr)
    print(f"{report.verdict}: {report.sentence}\n{write(report, out)}")
    return int(bool(unreadable))


if __name__ == "__main__":
    sys.exit(main())
