"""How often seeded regressions are found, and how often quiet nights are called worse: through the comparison that a session makes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median

from bench.nights.worlds import World
from nights.changes import changes
from nights.record import Night
from nights.spread import Judged, Standing

BEFORE, QUIET = 30, 30
SIGMAS, SHARE = 3.0, 0.2
SEEN = (Standing.REGRESSED, Standing.LOOK)


@dataclass(slots=True)
class Counted:
    """What came of all worlds with one number of trials a night."""

    trials: int
    quiet: int = 0  # an experiment's nights
    looks: int = 0  # of these called worth a look, or worse
    nights: int = 0
    alarms: int = 0  # nights in which any quiet experiment is called regressed
    seeded: int = 0  # 3 σ
    seen: int = 0
    regressed: int = 0
    slow: int = 0  # +20 % whose page says within how many nights it is found
    in_time: int = 0
    said: list[int] = field(default_factory=list)  # those numbers
    beyond: int = 0  # +20 % of which the page says that 30 nights are not enough

    def share(self, events: int, of: int) -> float:
        """Return a share; of nothing it is not a number."""
        return events / of if of else math.nan

    def row(self) -> list[str]:
        """Return it as a row of the page."""
        return [
            str(self.trials),
            f"{self.share(self.seen, self.seeded):.1%}",
            f"{self.share(self.regressed, self.seeded):.1%}",
            f"{self.share(self.looks, self.quiet):.2%}",
            f"{self.share(self.alarms, self.nights):.2%}",
            f"{median(self.said):g} ({min(self.said)} to {max(self.said)})" if self.said else "–",
            f"{self.share(self.in_time, self.slow):.1%} of {self.slow}",
            str(self.beyond),
        ]


HEADS = (
    "trials a night", "3 σ found in one night", "of these as regressions", "quiet: an experiment's night worth a look",
    "quiet: nights with a regression", "+20 %: nights that the page says", "+20 %: found within these", "page says: not within 30",
)  # fmt: skip


def count(trials: int, worlds: int) -> Counted:
    """Judge ``worlds`` of quiet nights, of one night with 3 σ, and of nights with +20 %."""
    found = Counted(trials)
    for seed in range(worlds):
        world = World(seed, trials=trials)
        _quiet(found, world)
        _three_sigma(found, world)
        _twenty_percent(found, world)
    return found


def judged(tonight: Night, before: list[Night]) -> list[Judged]:
    """Return what a session would say of each experiment's RTO, in their order."""
    return [change.numbers[0].judged for change in changes(tonight, before).changes]


def _quiet(found: Counted, world: World) -> None:
    nights = list(world.nights(BEFORE + QUIET))
    for last in range(BEFORE, BEFORE + QUIET):
        standings = [one.standing for one in judged(nights[last], nights[:last])]
        found.quiet += len(standings)
        found.looks += sum(one in SEEN for one in standings)
        found.nights += 1
        found.alarms += Standing.REGRESSED in standings


def _three_sigma(found: Counted, world: World) -> None:
    shifted = {i: SIGMAS * float(sigma) for i, sigma in enumerate(world.sigmas())}
    nights = list(world.nights(BEFORE + 1, shifted, since=BEFORE))
    standings = [one.standing for one in judged(nights[-1], nights[:-1])]
    found.seeded += len(standings)
    found.seen += sum(one in SEEN for one in standings)
    found.regressed += standings.count(Standing.REGRESSED)


def _twenty_percent(found: Counted, world: World) -> None:
    shifted = dict.fromkeys(range(world.experiments), math.log(1 + SHARE))
    nights = list(world.nights(BEFORE + BEFORE, shifted, since=BEFORE))
    said = [one.nights_needed for one in judged(nights[BEFORE - 1], nights[: BEFORE - 1])]  # by the page of the last quiet night
    met: dict[int, int] = {}
    for last in range(BEFORE, BEFORE + max((one for one in said if one), default=0)):
        for i, one in enumerate(judged(nights[last], nights[:last])):
            if one.standing is Standing.REGRESSED:
                met.setdefault(i, last - BEFORE + 1)
    promised = {i: within for i, within in enumerate(said) if within is not None}
    found.slow += len(promised)
    found.said += promised.values()
    found.in_time += sum(met.get(i, math.inf) <= within for i, within in promised.items())
    found.beyond += said.count(None)
