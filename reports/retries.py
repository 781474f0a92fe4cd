"""Client retries compared: one fault under the same load, with clients that try again in different ways.

Users and attempts are counted apart: what users felt is the best of a request's attempts, what the platform had to bear is all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from history.result import Verdict, worst
from history.schema import EventKind
from history.values import FrozenModel
from history.workloads import RequestsPlan, Retry
from verdict.case import Case
from verdict.words import number, percent, seconds

SECOND_NS = 1_000_000_000
NOBODY_RETRIED = " No client tried again: no attempt failed while there was time, answers were late, which only a hedge notices."
COLUMNS = (
    "policy",
    "what the client does",
    "verdict",
    "users: requests",
    "bad",
    "unanswered",
    "RTO",
    "attempts",
    "bad attempts",
    "load added",
    "busiest second",
)


class PolicyRow(FrozenModel):
    """What one policy did in all runs of a fault, from the fault to the end of what was watched; counts are of requests users made then."""

    policy: str
    contract: str
    runs: int
    verdict: Verdict  # the worst
    hidden: bool  # in runs that can be believed, users noticed neither an outage nor more bad requests than the SLO allows
    requests: int
    bad: int
    unanswered: int  # of the bad: no right answer came at all, however late
    outage_s: float | None  # the longest RTO; null: users were not served again before healing
    attempts: int
    attempts_bad: int
    added: float  # attempts beyond the first, as a share of requests
    added_at_worst: float  # the same, if nothing is answered
    peak: float  # attempts sent in the busiest second, as a multiple of the offered rate


class RetryComparison(FrozenModel):
    """One fault under several policies, the one that can add least first. ``weakest`` is the first that hid the fault (null: none did)."""

    fault: str
    experiments: tuple[str, ...]
    rows: tuple[PolicyRow, ...]
    weakest: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Met:
    """How clients of one policy met one fault: what is compared of a run. ``alike`` is the load but for retries, and the SLO."""

    fault: str
    alike: str
    experiment: str
    retry: Retry
    verdict: Verdict
    hidden: bool
    requests: int
    bad: int
    unanswered: int
    attempts: int
    attempts_bad: int
    rto_s: float | None
    peak: float


def met(case: Case, verdict: Verdict) -> Met | None:
    """Return what is compared of a judged run; ``None`` if it had no fault (controls have none that counts) or no requests."""
    plan, recovery = case.run.plan, case.recovery
    users = case.workload
    if recovery is None or not isinstance(users, RequestsPlan) or case.control:
        return None
    start_ns, end_ns = recovery.fault_ns, recovery.watched_ns
    asked, attempts = case.arrivals.between(start_ns, end_ns), case.attempts
    sent = attempts.sent & (attempts.intended_ns >= start_ns) & (attempts.intended_ns < end_ns)
    requests, bad = asked.stop - asked.start, int(np.count_nonzero(~case.arrivals.good[asked]))
    same = users.load.model_copy(update={"retry": Retry(), "seed": 0, "horizon_s": 1.0, "prompts": ""})
    return Met(
        fault=" + ".join(dict.fromkeys(event.object for event in case.timeline.all(EventKind.FAULT_START))),
        alike=f"{same.model_dump_json()} {users.slo.model_dump_json()}",
        experiment=plan.experiment.id,
        retry=users.load.retry,
        verdict=verdict,
        hidden=verdict is not Verdict.INCONCLUSIVE and not recovery.outages and bad <= (1 - users.slo.ratio) * requests,
        requests=requests,
        bad=bad,
        unanswered=int(np.count_nonzero(np.isinf(case.arrivals.latency_ms[asked]))),
        attempts=int(np.count_nonzero(sent)),
        attempts_bad=int(np.count_nonzero(sent & ~attempts.good)),
        rto_s=recovery.rto_s,
        peak=_peak(case, start_ns, end_ns),
    )


def _peak(case: Case, start_ns: int, end_ns: int) -> float:
    """Return the attempts sent in the busiest second of the window, counted from the fault, as a multiple of the offered rate."""
    sent_ns = case.run.requests["sent_ns"].drop_nulls().to_numpy()
    seconds_after = (sent_ns[(sent_ns >= start_ns) & (sent_ns < end_ns)] - start_ns) // SECOND_NS
    return float(np.bincount(seconds_after).max(initial=0)) / case.load.rate_rps


def compare(runs: Iterable[Met | None]) -> tuple[RetryComparison, ...]:
    """Return a comparison for each fault that was met by clients of at least two policies under otherwise the same load."""
    groups: dict[tuple[str, str], list[Met]] = defaultdict(list)
    for run in runs:
        if run is not None:
            groups[run.fault, run.alike].append(run)
    comparisons = (_comparison(fault, alike) for (fault, _), alike in groups.items())
    return tuple(comparison for comparison in comparisons if len(comparison.rows) > 1)


def _comparison(fault: str, runs: Sequence[Met]) -> RetryComparison:
    by_policy: dict[Retry, list[Met]] = defaultdict(list)
    for run in runs:
        by_policy[run.retry].append(run)
    rows = tuple(sorted((_row(retry, same) for retry, same in by_policy.items()), key=lambda row: (row.added_at_worst, row.policy)))
    weakest = next((row for row in rows if row.hidden), None)
    return RetryComparison(
        fault=fault,
        experiments=tuple(sorted({run.experiment for run in runs})),
        rows=rows,
        weakest=weakest.policy if weakest else None,
        sentence=_sentence(rows, weakest),
    )


def _sentence(rows: Sequence[PolicyRow], weakest: PolicyRow | None) -> str:
    if weakest is None:
        best = min(rows, key=lambda row: row.bad / max(row.requests, 1))
        late = "" if any(row.attempts > row.requests for row in rows) else NOBODY_RETRIED
        return f"No policy hid the fault from users; {best.policy} came closest: {best.bad} of {best.requests} requests were bad.{late}"
    before = [row for row in rows if row.added_at_worst < weakest.added_at_worst]
    left = "; ".join(f"{row.policy} left {row.bad} of {row.requests} requests bad" for row in before)
    return (
        f"The weakest policy with no user-visible failure is {weakest.policy}: it added {percent(weakest.added)} to the load, "
        f"{number(weakest.peak)} times the offered rate in the busiest second" + (f" ({left})." if left else ".")
    )


def _row(retry: Retry, runs: Sequence[Met]) -> PolicyRow:
    requests, attempts, rtos = sum(run.requests for run in runs), sum(run.attempts for run in runs), [run.rto_s for run in runs]
    return PolicyRow(
        policy=retry.policy,
        contract=contract_of(retry),
        runs=len(runs),
        verdict=worst([run.verdict for run in runs]),
        hidden=all(run.hidden for run in runs),
        requests=requests,
        bad=sum(run.bad for run in runs),
        unanswered=sum(run.unanswered for run in runs),
        outage_s=None if None in rtos else max(rto for rto in rtos if rto is not None),
        attempts=attempts,
        attempts_bad=sum(run.attempts_bad for run in runs),
        added=attempts / requests - 1 if requests else 0.0,
        added_at_worst=added_at_worst(retry),
        peak=max(run.peak for run in runs),
    )


def added_at_worst(retry: Retry) -> float:
    """Return the attempts that a policy may add to each request if nothing is answered."""
    match retry.policy:
        case "none":
            return 0.0
        case "budgeted":
            return min(retry.budget_ratio, float(retry.max_attempts - 1))
        case _:
            return float(retry.max_attempts - 1)


def contract_of(retry: Retry) -> str:
    """Say what a policy does."""
    match retry.policy:
        case "none":
            return "one attempt"
        case "naive":
            return f"up to {retry.max_attempts} attempts, {number(retry.backoff_ms)} ms apart"
        case "budgeted":
            share = percent(retry.budget_ratio)
            return f"up to {retry.max_attempts} attempts, exponential back-off, while retries are at most {share} of requests"
        case "hedged":
            return f"up to {retry.max_attempts} attempts, the next one beside a silence of {number(retry.hedge_after_ms)} ms"


def markdown(comparison: RetryComparison) -> list[str]:
    """Return ``comparison`` as lines of Markdown: users and attempts apart."""
    lines = [f"## {comparison.fault}", "", comparison.sentence, ""]
    lines += [f"| {' | '.join(COLUMNS)} |", "|---|---|---|" + "--:|" * (len(COLUMNS) - 3)]
    lines += [f"| {' | '.join(cells(row))} |" for row in comparison.rows]
    return [*lines, ""]


def cells(row: PolicyRow) -> list[str]:
    """Return the texts of one row, for any table."""
    return [
        f"{row.policy}{f' ({row.runs} runs)' if row.runs > 1 else ''}",
        row.contract,
        row.verdict.value,
        str(row.requests),
        f"{row.bad}{', hidden' if row.hidden else ''}",
        str(row.unanswered),
        "not recovered" if row.outage_s is None else seconds(row.outage_s) if row.outage_s else "no outage",
        str(row.attempts),
        str(row.attempts_bad),
        f"{percent(row.added)} (at worst {percent(row.added_at_worst)})",
        f"{number(row.peak)} ×",
    ]
