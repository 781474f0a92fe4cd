"""``python -m bench.robustness.fuzz``: 10,000 files mutated from the valid ones: a clear refusal or a plan, never a traceback."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from testing.runs.fuzzing import case

SHARE = 0.3  # of the cases that must still reach a plan, or the mutations are too wild to test what comes after reading
SHOWN = 20


def outcomes_of(seeds: Sequence[int]) -> list[tuple[int, str, str]]:
    """Carry out the cases of ``seeds``; return (seed, kind, what was said) of each."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [(seed, case(seed, Path(folder))) for seed in seeds]
    return [(seed, outcome.kind, outcome.said) for seed, outcome in outcomes]


def main() -> int:
    """Run, print counts and every traceback's first line; exit 1 if there was one, or too few cases reached a plan."""
    parser = argparse.ArgumentParser(prog="python -m bench.robustness.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the others follow")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.cases)
    parts = [seeds[at : at + 200] for at in range(0, len(seeds), 200)]
    with ProcessPoolExecutor(options.processes) as pool:
        rows = [row for part in pool.map(outcomes_of, parts) for row in part]
    counts = Counter(kind for _, kind, _ in rows)
    wrong = [(seed, text) for seed, kind, text in rows if kind == "traceback"]
    for seed, text in wrong[:SHOWN]:
        print(f"seed {seed}: {text[:300]}")
    reached = counts["planned"] / len(rows)
    outcomes = f"{counts['planned']} reached a plan ({reached:.0%}), {counts['refused']} were refused in a sentence"
    print(f"{len(rows)} cases: {outcomes}, {len(wrong)} tracebacks")
    return int(bool(wrong) or reached < SHARE)


if __name__ == "__main__":
    sys.exit(main())
