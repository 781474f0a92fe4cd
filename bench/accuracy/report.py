"""``python -m bench.accuracy.report``: how long a million requests take to render, and how large nine experiments' report is."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from reports import render
from testing.histories.sample_plan import BASELINE_S
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import NINE, NODE_OFF

REQUESTS = 1_000_000
REPEATS = 3
MOST_SECONDS = 3.0
MOST_BYTES = 1_000_000


def seconds_for_a_million(root: Path) -> float:
    """Return the time (s) to render one run of a million requests, from reading the folder to the last file written; the best of three."""
    run = write_run(root, replace(NODE_OFF, rate_rps=REQUESTS / (NODE_OFF.observed_s + BASELINE_S)))
    return min(timed(run, root / "million") for _ in range(REPEATS))


def timed(run: Path, out: Path) -> float:
    """Return how long rendering ``run`` takes (s)."""
    begun = time.perf_counter()
    render([run], out)
    return time.perf_counter() - begun


def bytes_of_nine(root: Path) -> int:
    """Return the size of ``index.html`` for nine experiments."""
    return render([write_run(root, scenario) for scenario in NINE], root / "nine").stat().st_size


def main() -> int:
    """Print each figure beside its bound and return 1 if one is missed."""
    with tempfile.TemporaryDirectory() as folder:
        took_s, size = seconds_for_a_million(Path(folder) / "a"), bytes_of_nine(Path(folder) / "b")
    print(f"render 1,000,000 requests   {took_s:6.2f} s   (best of {REPEATS}; bound {MOST_SECONDS:g} s)")
    print(f"index.html, 9 experiments   {size / 1e6:6.3f} MB  (bound {MOST_BYTES / 1e6:g} MB)")
    return int(took_s > MOST_SECONDS or size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
