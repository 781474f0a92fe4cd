"""``python -m bench.nights``: whether regressions between nights are told from noise, and what an index of many nights costs.

Each world is 40 experiments whose RTO scatters from run to run (a standard deviation σ of 4 to 12 % of it) around a median of 3 to 60 s.
After 30 quiet nights come 30 more quiet ones, or one night in which every experiment is 3 σ slower, or nights in which every one is 20 %
slower. What a session would say of each night is counted.
"""

from __future__ import annotations

import sys

from bench.common.pages import page, parser_of, publish, table
from bench.common.tables import circumstances
from bench.nights.power import HEADS, Counted, count
from bench.nights.size import MOST_MB, MOST_S, Cost, costs
from nights.spread import FALSE_ALARMS, FOUND

WORLDS, TRIALS = 25, (1, 2, 3)
BEST_OF_ONE = 0.83
"""No rule finds 3 σ in one run more often while 2 % of quiet nights are called worse (Neyman and Pearson 1933): Φ(3 - 2.05)."""
NOISE = 1.25
"""Shares of a finite number of nights scatter: a share of 2 % is held against this multiple of it."""


def main() -> int:
    """Print what was found and what it cost, each beside its bound; return 1 if one is missed."""
    parser = parser_of("bench.nights", __doc__)
    parser.add_argument("--worlds", type=int, default=WORLDS, help="of each number of trials (default: %(default)s)")
    options = parser.parse_args()
    began, counted, spent = circumstances(), [], costs()
    for trials in TRIALS:
        counted.append(count(trials, options.worlds))
        print(f"{trials} trials a night: done", file=sys.stderr)
    publish(_page(counted, spent, options.worlds, began), options.write)
    return int(not (all(map(reached, counted)) and all(one.reached for one in spent)))


def reached(found: Counted) -> bool:
    """Tell whether every bound is; that of 3 σ is one for nights of at least two trials."""
    calm = max(found.share(found.looks, found.quiet), found.share(found.alarms, found.nights)) <= FALSE_ALARMS * NOISE
    seen = found.trials == 1 or found.share(found.seen, found.seeded) >= FOUND
    return calm and seen and found.share(found.in_time, found.slow) >= FOUND


def _page(counted: list[Counted], spent: list[Cost], worlds: int, began: dict[str, object]) -> str:
    about = (
        f"{worlds} worlds a row. Bounds: 3 σ found in one night {FOUND:.0%} (from two trials a night on: of one run no rule finds "
        f"more than {BEST_OF_ONE:.0%}), quiet nights {FALSE_ALARMS:.0%} in both columns ({NOISE:g} times that is let pass: "
        f"shares scatter), +20 % found within what the page says {FOUND:.0%}."
    )
    rows = [[*one.row(), "reached" if reached(one) else "MISSED"] for one in counted]
    cost = [[one.what, f"{one.took_s:.2f} s", f"{one.peak_mb:.0f} MB", "reached" if one.reached else "MISSED"] for one in spent]
    return page(
        "Nights",
        "python -m bench.nights --write docs/results/nights.md",
        [began],
        (__doc__ or "").split("\n\n", 1)[1],
        about,
        table((*HEADS, ""), rows),
        f"`python -m reports trend` of 30 nights of 40 experiments, libraries loaded; bounds {MOST_S:g} s, {MOST_MB:g} MB.",
        table(("index", "took", "largest memory", ""), cost),
    )


if __name__ == "__main__":
    sys.exit(main())
