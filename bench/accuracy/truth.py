"""``python -m bench.accuracy.truth``: the verdict's RTO against outages of known length.

A server fails by script under the real load, 200 requests/s: it refuses, hangs, answers late, with 500, with half an answer, with a reset,
with a wrong answer. It notes when each outage really began and ended; the verdict reads the load's record alone. Who asks
while it lasts is not served, who asks later is answered in 5 ms: so the RTO is the length of the outage, up to the next arrival.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from history.workloads import Slo
from testing.load.outage_runs import KINDS, Measured, play

LENGTHS_S = (0.2, 1.0, 5.0)
RATE_RPS, BOUND_MS, MOST_OUTSIDE = 200.0, 50.0, 0.05
SLO = Slo(ratio=0.99, latency_ms=250)


def main() -> int:
    """Print every error beside its bound; exit 1 if one is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy.truth", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lengths", type=float, nargs="+", metavar="S", default=LENGTHS_S, help="outages of each kind (s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        played = play(
            Path(folder), [(kind, for_s) for kind in KINDS for for_s in options.lengths], SLO, rate_rps=RATE_RPS, in_flight_cap=5_000
        )
    lags_ms = played.run.requests.select((played.run.requests["sent_ns"] - played.run.requests["intended_ns"]) / 1e6).to_series()
    console = Console(width=140)
    console.print(table(played.outages))
    worst_ms = max(outage.error_s for outage in played.outages) * 1e3
    wrong, outside = (sum(outage.outages != 1 for outage in played.outages), sum(not outage.inside for outage in played.outages))
    console.print(
        f"{len(played.outages)} outages, {played.run.requests.height:,} requests, send lag p99 {np.percentile(lags_ms, 99):.2f} ms; "
        f"largest error {worst_ms:.1f} ms (bound {BOUND_MS:g}: {'reached' if worst_ms <= BOUND_MS else 'MISSED'}); "
        f"seen as more or less than one outage: {wrong} (bound 0: {'reached' if not wrong else 'MISSED'}); "
        f"outside the stated interval: {outside} (bound 5 %: {'reached' if outside <= MOST_OUTSIDE * len(played.outages) else 'MISSED'})"
    )
    return int(worst_ms > BOUND_MS or wrong > 0 or outside > MOST_OUTSIDE * len(played.outages))


def table(outages: tuple[Measured, ...]) -> Table:
    """Show each outage, in the script and in the verdict."""
    shown = Table("outage", "lasted s", "RTO by the verdict s", "off by ms", "stated interval s", title="scripted outages, 200 requests/s")
    for outage in outages:
        rto = "none" if outage.rto_s is None else f"{outage.rto_s:.4f}"
        stated = f"{outage.low_s:.4f} to {outage.high_s:.4f}"
        shown.add_row(outage.kind, f"{outage.truth_s:.4f}", rto, f"{outage.error_s * 1e3:.1f}", stated)
    return shown


if __name__ == "__main__":
    sys.exit(main())
