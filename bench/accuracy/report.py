"""``python -m bench.accuracy.report``: how long a million requests and a whole night take to render, and how large a report is."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reports import render
from testing.histories.sample_plan import BASELINE_S
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import NINE, NODE_OFF

REQUESTS = 1_000_000
REPEATS = 3
MOST_SECONDS = 3.0
EXPERIMENTS, TRIALS = 20, 3
MOST_NIGHT_SECONDS = 10.0
MOST_BYTES = 1_000_000


def seconds_for_a_million(root: Path) -> float:
    """Return the time (s) to render one run of a million requests, from reading the folder to the last file written; the best of three."""
    run = write_run(root, replace(NODE_OFF, rate_rps=REQUESTS / (NODE_OFF.observed_s + BASELINE_S)))
    return min(timed([run], root / "million") for _ in range(REPEATS))


def seconds_for_a_night(root: Path) -> float:
    """Return the time (s) to render twenty experiments of three trials each, all pages and the one file; the best of three."""
    scenarios = [replace(NINE[index % len(NINE)], id=f"{NINE[index % len(NINE)].id}-{index}") for index in range(EXPERIMENTS)]
    runs = [write_run(root / "runs", scenario, trial, TRIALS) for scenario in scenarios for trial in range(1, TRIALS + 1)]
    return min(timed(runs, root / "night") for _ in range(REPEATS))


def timed(runs: Sequence[Path], out: Path) -> float:
    """Return how long rendering ``runs`` takes (s)."""
    begun = time.perf_counter()
    render(runs, out)
    return time.perf_counter() - begun


def bytes_of_nine(root: Path) -> int:
    """Return the size of ``report.html`` for nine experiments."""
    return render([write_run(root, scenario) for scenario in NINE], root / "nine").with_name("report.html").stat().st_size


def main() -> int:
    """Print each figure beside its bound and return 1 if one is missed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        took_s, night_s, size = seconds_for_a_million(root / "a"), seconds_for_a_night(root / "c"), bytes_of_nine(root / "b")
    print(f"render 1,000,000 requests          {took_s:6.2f} s   (best of {REPEATS}; bound {MOST_SECONDS:g} s)")
    print(f"render {EXPERIMENTS} experiments × {TRIALS} trials  {night_s:6.2f} s   (best of {REPEATS}; bound {MOST_NIGHT_SECONDS:g} s)")
    print(f"report.html, 9 experiments         {size / 1e6:6.3f} MB  (bound {MOST_BYTES / 1e6:g} MB)")
    return int(took_s > MOST_SECONDS or night_s > MOST_NIGHT_SECONDS or size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
