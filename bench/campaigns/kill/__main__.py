"""``python -m bench.campaigns.kill``: end the suite at random moments, and count what outlives it. Resumable.

Each round starts one session on each of eight small platforms of its own (:mod:`bench.campaigns.kill.platform`). It ends each at a random
moment of a random phase: SIGKILL of the whole process tree, SIGTERM, or SIGINT. It waits until every deadline has passed and looks for
effects that are still there. Then ``heal`` clears the records, twice: the second one must find nothing. The table is
``reports/out/kill/trials.jsonl``, one line a trial; ``--write FILE`` publishes it. The seed of a trial is its number.
The cluster is that of the target file ``--target``: nothing of its own is touched, its load balancer is where the users' requests go.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from random import Random
from signal import Signals

import yaml

from bench.campaigns.kill.command_line import conclude, parser_of
from bench.campaigns.kill.page import counts, missed, page
from bench.campaigns.kill.platform import Slot, chosen
from bench.campaigns.kill.round import add, next_number
from bench.campaigns.kill.slots import small_platforms
from bench.campaigns.kill.trial import Trial, ask, draw
from bench.common.tables import ROOT, Row, commit, rows_of
from testing.platform.targets import region_of

OUT = ROOT / "reports" / "out" / "kill"
TABLE = OUT / "trials.jsonl"
HEALED = ("baseline", "write_ahead", "inject", "confirm", "confirm", "observe", "observe", "scene")
"""In which phases sessions are asked to end: mostly those in which a fault is in force."""
WHOLE = 8
FIRST_S = 100.0  # what the first round may take


def draw_round(number: int, slots: Sequence[Slot], *, kill: bool) -> list[Trial]:
    """Draw a trial for each small platform; every eighth is a whole pytest session."""
    trials = []
    for at, slot in enumerate(slots, number):
        rng = Random(at)  # noqa: S311 - repeatable on purpose
        trial = draw(rng, slot, OUT, at) if kill else draw(rng, slot, OUT, at, HEALED)
        if not kill:
            asked = rng.choice((Signals.SIGTERM, Signals.SIGINT))
            trial.how, trial.ending, trial.heals = asked.name, partial(ask, asked), True
        trial.whole = at % WHOLE == 0
        trials.append(trial)
    return trials


def counted(rows: list[Row]) -> dict[str, int]:
    """Return how many trials of each signal were struck after the run began."""
    struck = [row for row in rows if counts(row)]
    kills = sum(row["signal"] == "SIGKILL" for row in struck)
    return {"SIGKILL": kills, "asked": len(struck) - kills}


def campaign(options: argparse.Namespace) -> None:
    """Carry out rounds until the table is full, or until the next one might not end in time."""
    until_s, longest_s, version = time.monotonic() + options.for_s, FIRST_S, commit()
    host = yaml.safe_load(options.target.read_text())
    slots = chosen(options.at_once)
    with small_platforms(OUT, host, slots) as platforms:
        while time.monotonic() + longest_s < until_s and (missing := _missing(options, counted(rows_of(TABLE)))):
            began_s = time.monotonic()
            trials = draw_round(next_number(TABLE), slots, kill=missing == "SIGKILL")
            add(TABLE, platforms, trials, {"commit": version, "cluster": region_of(host)["context"]})
            longest_s = max(longest_s, time.monotonic() - began_s)


def _missing(options: argparse.Namespace, have: dict[str, int]) -> str:
    """Return which signal is further from its number; empty if both are reached."""
    shares = {"SIGKILL": have["SIGKILL"] / options.kills, "asked": have["asked"] / options.asks}
    least = min(shares, key=lambda name: shares[name])
    return least if shares[least] < 1 else ""


def main() -> int:
    """Run, show, publish; exit 1 if a bound was missed."""
    parser = parser_of("bench.campaigns.kill", __doc__)
    parser.add_argument("--kills", type=int, default=100, help="trials by SIGKILL (default: %(default)s)")
    parser.add_argument("--asks", type=int, default=50, help="trials by SIGTERM or SIGINT (default: %(default)s)")
    return conclude(parser.parse_args(), TABLE, campaign, page, missed)


if __name__ == "__main__":
    sys.exit(main())
