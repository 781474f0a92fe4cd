"""Client retries compared: one fault under the same load, with clients that try again in different ways.

Users and attempts are counted apart: what users felt is the best of a request's attempts, what the platform had to bear is all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from history.plan import Record, Retry
from history.result import RANK, Verdict
from history.schema import EventKind
from reports.text import number, percent, seconds
from verdict.case import Case

SECOND_NS = 1_000_000_000


class PolicyRow(Record):
    """What one policy did in all runs of a fault, from the fault to the end of what was watched; counts are of requests users made then.

    ``hidden``: users noticed nothing, neither an outage nor more bad requests than the SLO allows. ``added`` is attempts beyond the first
    as a share of requests, ``added_at_worst`` what the policy allows if nothing is answered, ``peak`` the attempts sent in the busiest
    second as a multiple of the offered rate.
    """

    policy: str
    contract: str
    runs: int
    verdict: Verdict  # the worst
    hidden: bool
    requests: int
    bad: int
    unanswered: int  # of the bad: no right answer came at all, however late
    outage_s: float | None  # the longest RTO; null: users were not served again before healing
    attempts: int
    attempts_bad: int
    added: float
    added_at_worst: float
    peak: float


class RetryComparison(Record):
    """One fault under several policies, the one that can add least first. ``weakest`` is the first that hid the fault (null: none did)."""

    fault: str
    experiments: tuple[str, ...]
    rows: tuple[PolicyRow, ...]
    weakest: str | None
    sentence: str


def compare(judged: Iterable[tuple[Case, Verdict]]) -> tuple[RetryComparison, ...]:
    """Return a comparison for each fault that was met by clients of at least two policies under otherwise the same load."""
    groups: dict[tuple[str, str], list[tuple[Case, Verdict]]] = defaultdict(list)
    for case, verdict in judged:
        if case.recovery is not None and case.training is None and not case.control:
            groups[_alike(case)].append((case, verdict))
    found = (_comparison(fault, runs) for (fault, _), runs in groups.items())
    return tuple(one for one in found if len(one.rows) > 1)


def _alike(case: Case) -> tuple[str, str]:
    """Return the fault (its actions' names), and the load but for retries and what differs from run to run."""
    plan = case.run.plan
    actions = " + ".join(dict.fromkeys(event.object for event in case.timeline.all(EventKind.FAULT_START)))
    same = plan.load.model_copy(update={"retry": Retry(), "seed": 0, "horizon_s": 1.0, "prompts": ""})
    return actions, f"{same.model_dump_json()} {plan.slo.model_dump_json()}"


def _comparison(fault: str, runs: Sequence[tuple[Case, Verdict]]) -> RetryComparison:
    by_policy: dict[Retry, list[tuple[Case, Verdict]]] = defaultdict(list)
    for run in runs:
        by_policy[run[0].run.plan.load.retry].append(run)
    rows = tuple(sorted((_row(load, same) for load, same in by_policy.items()), key=lambda row: (row.added_at_worst, row.policy)))
    weakest = next((row for row in rows if row.hidden), None)
    return RetryComparison(
        fault=fault,
        experiments=tuple(sorted({case.run.plan.experiment.id for case, _ in runs})),
        rows=rows,
        weakest=weakest.policy if weakest else None,
        sentence=_sentence(rows, weakest),
    )


def _sentence(rows: Sequence[PolicyRow], weakest: PolicyRow | None) -> str:
    if weakest is None:
        best = min(rows, key=lambda row: row.bad / max(row.requests, 1))
        return f"No policy hid the fault from users; {best.policy} came closest: {best.bad} of {best.requests} requests were bad."
    before = [row for row in rows if row.added_at_worst < weakest.added_at_worst]
    left = "; ".join(f"{row.policy} left {row.bad} of {row.requests} requests bad" for row in before)
    return (
        f"The weakest policy with no user-visible failure is {weakest.policy}: it added {percent(weakest.added)} to the load, "
        f"{number(weakest.peak)} times the offered rate in the busiest second" + (f" ({left})." if left else ".")
    )


def _row(retry: Retry, runs: Sequence[tuple[Case, Verdict]]) -> PolicyRow:
    seen = [_seen(case) for case, _ in runs]
    requests, bad, unanswered, attempts, attempts_bad = (sum(one[i] for one in seen) for i in range(5))
    rtos = [case.recovery.rto_s for case, _ in runs if case.recovery]
    return PolicyRow(
        policy=retry.policy,
        contract=contract_of(retry),
        runs=len(runs),
        verdict=max((verdict for _, verdict in runs), key=RANK.__getitem__),
        hidden=all(_hidden(case) for case, _ in runs),
        requests=requests,
        bad=bad,
        unanswered=unanswered,
        outage_s=None if None in rtos else max(rto for rto in rtos if rto is not None),
        attempts=attempts,
        attempts_bad=attempts_bad,
        added=attempts / requests - 1 if requests else 0.0,
        added_at_worst=added_at_worst(retry),
        peak=max(_peak(case) for case, _ in runs),
    )


def _window(case: Case) -> tuple[int, int]:
    if case.recovery is None:
        raise ValueError("a run without a fault is not compared")
    return case.recovery.fault_ns, case.recovery.watched_ns


def _seen(case: Case) -> tuple[int, int, int, int, int]:
    """Return (requests, bad, unanswered, attempts, bad attempts) of requests that were made in the window."""
    (start_ns, end_ns), attempts = _window(case), case.attempts
    asked = case.arrivals.between(start_ns, end_ns)
    good, latency_ms = case.arrivals.good[asked], case.arrivals.latency_ms[asked]
    sent = attempts.sent & (attempts.intended_ns >= start_ns) & (attempts.intended_ns < end_ns)
    bad = int(np.count_nonzero(~good))
    return len(good), bad, int(np.count_nonzero(np.isinf(latency_ms))), int(np.count_nonzero(sent)), int((sent & ~attempts.good).sum())


def _hidden(case: Case) -> bool:
    requests, bad, *_ = _seen(case)
    return case.recovery is not None and not case.recovery.outages and bad <= (1 - case.run.plan.slo.ratio) * requests


def _peak(case: Case) -> float:
    """Return the attempts sent in the busiest second of the window, counted from the fault, as a multiple of the offered rate."""
    start_ns, end_ns = _window(case)
    sent_ns = case.run.requests["sent_ns"].drop_nulls().to_numpy()
    seconds = (sent_ns[(sent_ns >= start_ns) & (sent_ns < end_ns)] - start_ns) // SECOND_NS
    return float(np.bincount(seconds).max(initial=0)) / case.run.plan.load.rate_rps


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
    head = [
        "policy",
        "what the client does",
        "users: requests",
        "bad",
        "unanswered",
        "RTO",
        "attempts",
        "bad",
        "load added",
        "busiest second",
    ]
    lines = [f"## {comparison.fault}", "", comparison.sentence, ""]
    lines += [f"| {' | '.join(head)} |", "|---|---|" + "--:|" * (len(head) - 2)]
    lines += [f"| {' | '.join(cells(row))} |" for row in comparison.rows]
    return [*lines, ""]


def cells(row: PolicyRow) -> list[str]:
    """Return the texts of one row, for any table."""
    return [
        f"{row.policy}{f' ({row.runs} runs)' if row.runs > 1 else ''}",
        row.contract,
        str(row.requests),
        f"{row.bad}{', hidden' if row.hidden else ''}",
        str(row.unanswered),
        "not recovered" if row.outage_s is None else seconds(row.outage_s) if row.outage_s else "no outage",
        str(row.attempts),
        str(row.attempts_bad),
        f"{percent(row.added)} (at worst {percent(row.added_at_worst)})",
        f"{number(row.peak)} ×",
    ]
