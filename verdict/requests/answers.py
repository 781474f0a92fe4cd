"""What became of requests and answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from history.kinds import REQUESTS
from history.schema import Outcome
from verdict.case import Case
from verdict.inputs.goodness import acknowledged, answered_wrong, longest_limit_ms
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.users import window

NOT_CHECKED = Value(None, "not checked: the right answers are not known")
CLAIMED = "shorter than asked for, and whole by the word of the server alone"


@measure("requests", REQUESTS)
def requests_bad(case: Case) -> Value:
    """How many requests of users in the fault window were not good: refused, failed, wrong, cut off, too late, or of unknown end.

    Source: requests, schedule.
    """
    return Value(int(np.count_nonzero(~window(case)))) if case.recovery else NO_FAULT


@measure("requests", REQUESTS)
def requests_interrupted(case: Case) -> Value:
    """Bad requests that were under way at t_fault: made before it, with time under the SLO left. Source: requests.

    They count neither in the fault window nor in the baseline.
    """
    if case.recovery is None:
        return NO_FAULT
    since_ns = case.recovery.fault_ns - int(longest_limit_ms(case.slo) * 1e6)
    caught = case.arrivals.between(since_ns, case.recovery.fault_ns)
    return Value(int(np.count_nonzero(~case.arrivals.good[caught])))


@measure("answers", REQUESTS)
def requests_lost(case: Case) -> Value:
    """Acknowledged answers after t_fault whose payload is wrong: the RPO of requests. Unknown where the right answers are.

    A request is acknowledged once it was answered completely with a status of 2xx. A refused, failed or truncated one is not, nor is one
    whose answer cannot be read, holds no token or was given up by the server: it counts against availability. Source: requests.
    """
    return NOT_CHECKED if case.answers.unknown else _after_fault(case, answered_wrong())


@measure("answers", REQUESTS)
def answers_acknowledged(case: Case) -> Value:
    """Complete answers with a status of 2xx that came after t_fault. Source: requests."""
    return _after_fault(case, acknowledged())


@measure("answers", REQUESTS)
def answers_unchecked(case: Case) -> Value:
    """Acknowledged answers after t_fault whose payload nobody could check, because the right answer was not known. Source: requests."""
    return _after_fault(case, acknowledged() & pl.col("valid").is_null())


@measure("answers", REQUESTS)
def answers_claimed(case: Case) -> Value:
    """Acknowledged answers after t_fault that are whole by the word of the server alone.

    They ended before max_tokens and are not known to be right, so that no known length shows that nothing is missing: a gateway may turn an
    abort into a stop. Source: requests, schedule.
    """
    if case.recovery is None:
        return NO_FAULT
    if case.load.request.ignore_eos:
        return Value(0)
    asked = np.append(case.run.schedule["max_tokens"].fill_null(0).to_numpy(), 0)[case.attempts.position]  # the last: of no request
    right = pl.lit(value=False) if case.answers.mode == "prefix" else pl.col("valid").fill_null(value=False)  # a prefix may lack its end
    unproven = acknowledged() & ~right & (pl.col("tokens").fill_null(-1) < pl.Series(asked))
    claimed = _after_fault(case, unproven)
    return replace(claimed, sentence=CLAIMED) if claimed.value else claimed


@measure("answers", REQUESTS)
def answers_wrong(case: Case) -> Value:
    """Acknowledged answers after t_fault with a wrong payload, e.g. of wrong weights or of another request. Source: requests.

    Unknown where the right answers are. Where the class allows some to differ, those are counted, too.
    """
    return NOT_CHECKED if case.answers.unknown else _after_fault(case, answered_wrong())


@measure("answers", REQUESTS)
def answers_truncated(case: Case) -> Value:
    """Answers that ended after t_fault and were not whole: broken off, given up by the server, empty or not readable. Source: requests."""
    return _after_fault(case, ~pl.col("complete").fill_null(value=True))


@measure("answers", REQUESTS)
def answers_duplicated(case: Case) -> Value:
    """Acknowledged answers beyond the first to one request: work that was done twice. Source: requests."""
    position = case.attempts.position[case.attempts.acknowledged]
    known = position[position >= 0]
    return Value(int(len(known) - len(np.unique(known)))) if case.attempts.number.max(initial=0) else Value(0)


@measure("requests", REQUESTS)
def requests_unknown(case: Case) -> Value:
    """How many requests ended unseen: attempts cut off, reset or timed out after t_fault, and holes. Source: requests, schedule."""
    cut_off = _after_fault(case, pl.col("outcome") == Outcome.UNKNOWN.value).value
    return NO_FAULT if cut_off is None else Value(cut_off + case.audit.summary.holes)


@measure("requests", REQUESTS)
def requests_unexpected(case: Case) -> Value:
    """Rows of the record that belong to no scheduled request. Source: requests, schedule."""
    return Value(int(np.count_nonzero(case.attempts.position < 0)))


@measure("ratio", REQUESTS)
def amplification(case: Case) -> Value:
    """How many attempts were sent for every request that users made: 1 without retries; what retries and hedges add. Source: requests."""
    sent, asked = int(np.count_nonzero(case.attempts.sent)), int(np.count_nonzero(case.arrivals.sent))
    return Value(sent / asked) if asked else Value(None, "nothing was sent")


def _after_fault(case: Case, wanted: pl.Expr) -> Value:
    if case.recovery is None:
        return NO_FAULT
    after = pl.col("done_ns").fill_null(pl.col("intended_ns")) >= case.recovery.fault_ns
    return Value(int(case.run.requests.select((after & wanted).sum()).item()))
