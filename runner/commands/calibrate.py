"""``python -m runner calibrate``: null runs on a target, and what they say of every other verdict that this platform allows."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from history.errors import HistoryError
from history.plan import Plan
from history.reader import read_plan, read_run
from history.result import RunVerdict, Verdict
from runner.messages import Kind
from runner.request import ProfileName, Request
from runner.run.parent import Child
from verdict.case import case_of
from verdict.inputs.goodness import tightest_limit_ms
from verdict.inputs.outages import Rule, find_outages
from verdict.statistics import arrivals_needed, found_after_s, rate_that_finds_rps

P95 = ("baseline_p95", "recovered_p95")
NO_EVENT_95 = 3.0
"""No event in n hours bounds its rate by 3/n an hour (95 %, Poisson: -ln 0.05)."""


@dataclass(frozen=True, slots=True)
class NullRun:
    """One judged null run. ``false_outages`` began at any time from its baseline to the end of its load, and ``watched_s`` is that time."""

    plan: Plan
    verdict: RunVerdict
    false_outages: int
    watched_s: float

    @property
    def missed_s(self) -> float | None:
        """The longest outage that it may have missed with 5 % (s); ``None``: it came to no reading, or an older suite judged it."""
        return self.verdict.value("rto_high")


def read_null_run(run_dir: Path) -> NullRun:
    """Read a null run that was judged; its outages are counted from the baseline on, by the verdict's own rule.

    What comes before the baseline is no error of the detector: the load still warms up, and nothing is judged by it.

    Raises:
        HistoryError: its plan or record cannot be read.
        OSError: it holds no verdict.

    """
    verdict, run = RunVerdict.model_validate_json((run_dir / "verdict.json").read_bytes()), read_run(run_dir)
    case = case_of(run)
    arrivals = case.arrivals
    since_ns = case.baseline_ns[0] if case.baseline_ns else arrivals.stop_ns
    seen = arrivals.between(since_ns, arrivals.stop_ns)
    rule = Rule(run.plan.requests.slo.ratio, int(run.plan.timers.hold_s * 1e9))
    found = find_outages(arrivals.t_ns[seen], arrivals.good[seen], rule, arrivals.stop_ns)
    return NullRun(run.plan, verdict, len(found.outages), (arrivals.stop_ns - since_ns) / 1e9)


def run_null_runs(template: Request, runs: int, say: Callable[[str], None]) -> list[NullRun]:
    """Carry out ``runs`` null runs one after another; what is refused or breaks is said and left out."""
    found = []
    for number in range(1, runs + 1):
        run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-calibrate-{number}-{secrets.token_hex(2)}"
        request = template.model_copy(update={"run_id": run_id, "run_dir": template.run_dir / run_id, "seed": template.seed + number})
        child = Child(request, say)
        child.start()
        refused = [message.text() for message in child.messages() if message.kind is Kind.REFUSED]
        child.end()
        file = request.run_dir / "verdict.json"
        if not file.exists():
            say(f"run {number} of {runs}: no verdict: {'; '.join(refused) or f'see {request.run_dir}'}")
            continue
        try:
            found.append(read_null_run(request.run_dir))
        except HistoryError as error:
            say(f"run {number} of {runs}: its record cannot be read: {error}")
            continue
        verdict = found[-1].verdict
        say(f"run {number} of {runs}: {verdict.verdict}: {verdict.sentence}")
        if child.interrupted:
            break
    return found


def stored(folder: Path, say: Callable[[str], None]) -> list[NullRun]:
    """Return the null runs that were judged and lie anywhere below ``folder``, oldest first; one that cannot be read is said."""
    found = []
    for file in folder.glob("**/verdict.json"):
        try:
            run = read_null_run(file.parent) if read_plan(file.parent).experiment.fault == "none" else None
        except HistoryError as error:
            say(f"left out: {error}")
            continue
        found += [run] if run else []
    return sorted(found, key=lambda run: run.plan.created_ns)


def findings(runs: Sequence[NullRun], budget_s: float | None) -> list[str]:
    """Return what null runs say: false outages, smallest RTO that can be told, the rate that a budget needs."""
    if not runs:
        return ["no null run was judged, so nothing is known of this target; see what was said above"]
    plan = runs[0].plan
    watched_h = sum(run.watched_s for run in runs) / 3600
    false = sum(run.false_outages for run in runs)
    inconclusive = sum(run.verdict.verdict is Verdict.INCONCLUSIVE for run in runs)
    lines = [
        f"{len(runs)} null runs, {watched_h * 60:.1f} minutes watched at {plan.requests.load.rate_rps:g} requests/s",
        *([f"false outages: {false}, that is {_an_hour(false, watched_h)}"] if watched_h else []),
        f"inconclusive: {inconclusive} of {len(runs)}",
        *noise_sentences(runs),
    ]
    bound_s = budget_s if budget_s is not None else plan.first.budgets.rto_s
    return lines + precision_sentences(plan, [run.missed_s for run in runs if run.missed_s], bound_s)


def _an_hour(events: int, watched_h: float) -> str:
    return f"{events / watched_h:.2g} an hour" if events else f"at most {NO_EVENT_95 / watched_h:.2g} an hour (95 %)"


def precision_sentences(plan: Plan, missed_s: Sequence[float], budget_s: float | None) -> list[str]:
    """Return which outages are found, and what a budget needs for that; ``missed_s`` of the runs that came to a reading."""
    if not missed_s:
        return ["no null run came to a reading, so no budget can be judged here: repair the platform or quiet the machine first"]
    longest_s = max(missed_s)
    lines = [
        f"an outage of {longest_s:.3g} s and more is found with 95 %; one that refuses everybody after {found_s(plan):.3g} s",
        f"tightest budget that can be judged: {longest_s:.3g} s",
    ]
    return lines + ([] if budget_s is None else [rate_sentence(plan, longest_s, budget_s)])


def page(runs: Sequence[NullRun], wanted: int, budget_s: float | None, command: str) -> str:
    """Return what null runs say as a page of docs/: the findings, then every run that was judged, of ``wanted``."""
    lines = ["# Calibration", "", f"Made by `{command}`: null runs, no fault; {len(runs)} of {wanted} were judged, none is left out.", ""]
    lines += [*(f"- {line}" for line in findings(runs, budget_s)), ""]
    lines += ["| run | verdict | false outages | watched s | p95 before, ms | missed s | send lag p99 ms | its sentence |"]
    lines += ["|---|---|--:|--:|--:|--:|--:|---|"]
    return "\n".join([*lines, *(_row(number, run) for number, run in enumerate(runs, 1)), ""])


def _row(number: int, run: NullRun) -> str:
    p95, load = run.verdict.measurement(P95[0]), run.verdict.load
    figures = (p95.value if p95 else None, run.missed_s, load.send_lag_p99_ms if load else None)
    known = " | ".join("–" if one is None else f"{one:.4g}" for one in figures)
    sentence = " ".join(run.verdict.sentence.split()).replace("|", "/")
    return f"| {number} | {run.verdict.verdict} | {run.false_outages} | {run.watched_s:.0f} | {known} | {sentence} |"


def noise_sentences(runs: Sequence[NullRun]) -> list[str]:
    """Return what noise alone did: null runs that fail, and how near to the SLO users' waiting came."""
    failed = sum(run.verdict.verdict is Verdict.FAIL for run in runs)
    lines = [f"failed without any fault: {failed} of {len(runs)}: quiet the machine before a night is wasted"] if failed else []
    waited = [found.value for run in runs for name in P95 if (found := run.verdict.measurement(name)) and found.value is not None]
    slo_ms = tightest_limit_ms(runs[0].plan.requests.slo)
    if waited:
        lines.append(f"users waited (p95) at most {max(waited):.0f} ms in any run; the SLO's tightest limit is {slo_ms:.0f} ms")
    return lines


def found_s(plan: Plan) -> float:
    """Return how long an outage that refuses all requests must last to be found with 95 % (s)."""
    return found_after_s(plan.requests.slo.ratio, plan.requests.load.rate_rps)


def rate_needed_rps(plan: Plan, missed_s: float, budget_s: float) -> float | None:
    """Return the rate that an RTO budget needs (requests/s); None: no rate is enough, waiting, clock and send lag alone are too coarse.

    An outage as long as the budget must be found, and the hold must bring enough arrivals to support the SLO's ratio.
    """
    ratio = plan.requests.slo.ratio
    rate = rate_that_finds_rps(ratio, budget_s - max(0.0, missed_s - found_s(plan)))
    return max(rate, arrivals_needed(ratio) / plan.timers.hold_s) if math.isfinite(rate) else None


def rate_sentence(plan: Plan, missed_s: float, budget_s: float) -> str:
    """Return what a budget needs, in words."""
    rate = rate_needed_rps(plan, missed_s, budget_s)
    if rate is None:
        return f"an RTO budget of {budget_s:g} s cannot be judged here at any rate: waiting, send lag and clock error alone are too coarse"
    return f"an RTO budget of {budget_s:g} s needs {rate:.3g} requests/s; the target offers {plan.requests.load.rate_rps:g}"


def template(experiment: Path, root: Path, target: Path, out: Path, profile: ProfileName) -> Request:
    """Return the request that every null run is a copy of."""
    seed = secrets.randbelow(10**6)
    return Request(run_id="", run_dir=out, experiment=experiment, experiments_root=root, target=target, seed=seed, profile=profile)
