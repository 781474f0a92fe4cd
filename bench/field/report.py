"""The report of the field: read where a viewer forbids its style sheet, and with an error that is one long word. In a real browser."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.field.cases import Seen, case
from reports import Context, Report, build, write
from reports.kept import ErrorSeen
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_FROZEN, ZONE_LOST
from testing.pages.viewer import CHROMIUM, POLICY, Look, look, opened, served

WIDTH = 1280
LONG = "ConnectionError:" + "x" * 1984
LARGEST_ICON_PX, LEAST_PLOT_PX = 40.0, 700.0
NO_BROWSER = Seen(f"not looked at: there is no browser at {CHROMIUM}; make browser", right=False)


def _shown(policy: str, *, long_error: bool = False) -> Look:
    """Render two runs, serve the report with ``policy`` and return what a browser shows of the one file."""
    with tempfile.TemporaryDirectory() as folder:
        report = build([write_run(Path(folder), one) for one in (ENGINE_FROZEN, ZONE_LOST)], Context())
        out = write(with_long_error(report) if long_error else report, Path(folder) / "out").parent
        with served(out, policy) as address, opened() as browser:
            return look(browser, f"{address}/report.html", WIDTH)


def with_long_error(report: Report) -> Report:
    """Return ``report`` with an error of 2,000 characters without a space in the first run."""
    first = report.experiments[0]
    trial = first.trials[0].model_copy(update={"errors": (ErrorSeen(text=LONG, count=1, first_s=1.0),)})
    changed = first.model_copy(update={"trials": (trial, *first.trials[1:])})
    return report.model_copy(update={"experiments": (changed, *report.experiments[1:])})


@case("report", f"served with `{POLICY}`", "readable: plots in their colours, icons of a word's height")
def without_its_style_sheet() -> Seen:
    """Look at a report whose style sheet is forbidden."""
    if not CHROMIUM.exists():
        return NO_BROWSER
    seen = _shown(POLICY)
    said = f"{seen.black_share:.0%} of the plots' shapes black, plot {seen.plot[0]:.0f} px wide, icons at most {seen.largest_icon:.0f} px"
    sound = not seen.black_share and seen.plot[0] >= LEAST_PLOT_PX and seen.largest_icon <= LARGEST_ICON_PX
    return Seen(said, right=sound and not seen.styled)


@case("report", "error text of 2,000 characters without a space", "wraps")
def one_long_word() -> Seen:
    """Look at a report with a very long word, with its style sheet and without."""
    if not CHROMIUM.exists():
        return NO_BROWSER
    styled, plain = _shown("", long_error=True), _shown(POLICY, long_error=True)
    said = f"page {styled.width:.0f} px wide, {plain.width:.0f} px without its style sheet, in a window of {WIDTH} px"
    return Seen(said, right=max(styled.width, plain.width) <= WIDTH)
