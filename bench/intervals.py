"""``python -m bench.intervals``: whether the RTO's 95 % interval contains the truth, and how often a verdict by it is wrong.

Outages begin with the fault and last 0.5 to 60 s; they refuse, hang or answer late, all requests or those of one replica of three.
Budgets are drawn from a third of the truth to three times the truth. When an outage was over follows from how it was made; the verdict sees
arrivals alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from bench.common.pages import page, parser_of, publish, table
from bench.common.tables import circumstances
from history.budgets import Budgets
from history.result import Check, Verdict
from history.workloads import RequestsPlan
from runner.drivers.requests.driver import span_s
from testing.histories.truth import Hit, World, build, traffic_of
from testing.histories.truth_frames import ns
from verdict.case import Case, case_of
from verdict.inputs.arrivals import Arrivals
from verdict.inputs.reasons import Reason
from verdict.inputs.recovery import recovery_of
from verdict.requests.recovery_time import rto
from verdict.statistics import arrivals_needed

RATES_RPS = (0.5, 1.0, 2.0, 5.0, 20.0)
SHARES = {"all requests": 1.0, "a third": 1 / 3}
KINDS: tuple[Literal["fail", "slow", "hang"], ...] = ("fail", "slow", "hang")
OUTAGES, LEAST_COVERED, MOST_WRONG = 2000, 0.94, 0.01
SHORTEST_S, LONGEST_S, AROUND = 0.5, 60.0, 3.0
RATIO, SLO_S, TIMEOUT_S, BASELINE_S = 0.99, 1.0, 4.0, 2.0


@dataclass(slots=True)
class Tally:
    """What came of the outages at one rate."""

    rate_rps: float
    hit: str
    covered: int = 0
    false_fail: int = 0
    false_pass: int = 0
    verdicts: list[Verdict] = field(default_factory=list)
    widths_s: list[float] = field(default_factory=list)

    def add(self, check: Check, truth_s: float) -> None:
        """Count one outage that lasted ``truth_s``."""
        low_s, high_s, budget_s = check.low or 0.0, np.inf if check.high is None else check.high, check.budget or 0.0
        self.covered += low_s <= truth_s <= high_s
        self.false_fail += check.verdict is Verdict.FAIL and truth_s <= budget_s
        self.false_pass += check.verdict is Verdict.PASS and truth_s > budget_s
        self.verdicts.append(check.verdict)
        self.widths_s.append(high_s - low_s)

    def share(self, events: int) -> float:
        """Return ``events`` as a share of all outages."""
        return events / len(self.verdicts)

    @property
    def reached(self) -> bool:
        """Tell whether every bound is."""
        wrong = max(self.share(self.false_fail), self.share(self.false_pass))
        return self.share(self.covered) >= LEAST_COVERED and wrong <= MOST_WRONG

    def row(self) -> list[str]:
        """Return it as a row of the page."""
        shares = [self.covered, self.false_fail, self.false_pass, *(self.verdicts.count(one) for one in Verdict)]
        width = f"{np.median(self.widths_s):.3g} s"
        return [
            f"{self.rate_rps:g}",
            self.hit,
            *(f"{self.share(one):.1%}" for one in shares),
            width,
            "reached" if self.reached else "MISSED",
        ]


HEADS = ("requests/s", "hit", "covered", "false FAIL", "false PASS", *Verdict, "median width", "")


def main() -> int:
    """Print coverage and errors at each rate; return 1 if a bound is missed."""
    parser = parser_of("bench.intervals", __doc__)
    parser.add_argument("--outages", type=int, default=OUTAGES, help="at each rate, of each share (default: %(default)s)")
    options = parser.parse_args()
    began = circumstances()
    tallies = [tally(rate, hit, options.outages) for rate in RATES_RPS for hit in SHARES]
    publish(_page(tallies, options.outages, began), options.write)
    return int(not all(one.reached for one in tallies))


def tally(rate_rps: float, hit: str, outages: int) -> Tally:
    """Judge ``outages`` at one rate."""
    counted, plain = Tally(rate_rps, hit), template(rate_rps, SHARES[hit])
    for number, (world, budget_s) in enumerate(worlds(rate_rps, SHARES[hit], outages)):
        counted.add(checked(plain, world, budget_s), world.hits[0].end_s)
        if number % 500 == 499:
            print(f"{rate_rps:g} requests/s, {hit}: {number + 1} of {outages}", file=sys.stderr)
    return counted


def worlds(rate_rps: float, share: float, outages: int) -> Iterator[tuple[World, float]]:
    """Yield outages and the budget of each (s)."""
    rng = np.random.default_rng([round(rate_rps * 10), round(share * 10)])
    hold_s = max(30.0, span_s(arrivals_needed(RATIO), rate_rps))
    for number in range(outages):
        lasts_s = float(np.exp(rng.uniform(np.log(SHORTEST_S), np.log(LONGEST_S))))
        budget_s = lasts_s * float(np.exp(rng.uniform(-np.log(AROUND), np.log(AROUND))))
        hit = Hit(0.0, lasts_s, share, KINDS[number % len(KINDS)])
        yield (
            World((hit,), rate_rps, seed=number, ratio=RATIO, slo_s=SLO_S, timeout_s=TIMEOUT_S, baseline_s=BASELINE_S, hold_s=hold_s),
            budget_s,
        )


def template(rate_rps: float, share: float) -> Case:
    """Return a case without arrivals, of a fault on one pod of three, or on something that all requests need."""
    world = replace(next(worlds(rate_rps, share, 1))[0], replaced=False)
    run = build(world).run
    events = run.events if share < 1 else run.events.filter(run.events["kind"] != "pod.ready")
    case = case_of(replace(run, events=events))
    return replace(case, run=replace(run, requests=run.requests.clear(), schedule=run.schedule.clear()))


def checked(plain: Case, world: World, budget_s: float) -> Check:
    """Return the check ``rto`` of one outage: the judge's own recovery, interval and verdict, of arrivals that were drawn."""
    arrivals = arrivals_of(world)
    workload = plain.run.plan.of(RequestsPlan)
    assert workload is not None, "the template is driven by requests"  # noqa: S101
    workload = workload.model_copy(update={"budgets": Budgets(rto_s=budget_s)})
    heal_s = world.heal_s
    case = replace(plain, workload=workload, arrivals=arrivals)
    timeline = replace(case.timeline, by_kind={kind: events for kind, events in case.timeline.by_kind.items() if kind != "heal.start"})
    case = replace(case, timeline=timeline, recovery=recovery_of(case.run.plan, timeline, arrivals))
    check = rto(case)
    assert check is not None, f"there is a budget; watched for {heal_s} s"  # noqa: S101
    return check


def arrivals_of(world: World) -> Arrivals:
    """Draw the arrivals of ``world``, and which were good."""
    traffic = traffic_of(world)
    count, answered = len(traffic.at_s), traffic.outcome == "ok"
    waited_s = np.where(answered, np.minimum(traffic.latency_s, world.slo_s), world.slo_s)
    return Arrivals(
        t_ns=ns(world, traffic.at_s),
        good=answered & (traffic.latency_s <= world.slo_s),
        sent=np.ones(count, np.bool_),
        recorded=np.ones(count, np.bool_),
        latency_ms=np.where(answered, traffic.latency_s * 1e3, np.inf),
        decided_ns=ns(world, traffic.at_s + waited_s),
        reason=np.where(answered, Reason.LATE, Reason.ERROR).astype(np.int8),
        row=np.zeros(0, np.int64),
        scheduled=np.arange(count),
        stop_ns=int(ns(world, world.heal_s)),
        off_schedule=0,
        start_error_s=0.0,
    )


def _page(tallies: list[Tally], outages: int, began: dict[str, object]) -> str:
    about = (
        f"{outages:,} outages a row. *Covered*: the stated interval contains when the outage was over; bound {LEAST_COVERED:.0%}. "
        f"*False FAIL*: the truth was within the budget; *false PASS*: it was over; bounds {MOST_WRONG:.0%} each. Budgets are near the "
        "truth, so a coarse reading must often be INCONCLUSIVE."
    )
    return page(
        "Intervals",
        "python -m bench.intervals --write docs/results/intervals.md",
        [began],
        (__doc__ or "").split("\n\n", 1)[1],
        about,
        table(HEADS, [one.row() for one in tallies]),
    )


if __name__ == "__main__":
    sys.exit(main())
