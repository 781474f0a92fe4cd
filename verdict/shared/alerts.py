"""Whether the platform's alerts told of the fault: check ``alerts``, with the time until the first of them told."""

from __future__ import annotations

from history.kinds import ASYNC, REQUESTS, TRAINING
from history.result import AlertOutcome, Check
from verdict.case import Case
from verdict.shared.alerting.outcomes import judged_alerts
from verdict.shared.registry import NO_FAULT, Role, Value, check, measure
from verdict.shared.results import Figures, failed, inconclusive, passed
from verdict.words import seconds

WRONG = frozenset({AlertOutcome.LATE, AlertOutcome.UNTOLD, AlertOutcome.MISSING, AlertOutcome.FALSE})


@check(ASYNC, Role.RESTING, title="Alerts")
@check(TRAINING, Role.RESTING, title="Alerts")
@check(REQUESTS, Role.RESTING, title="Alerts", felt=True)
def alerts(case: Case) -> Check | None:
    """Check that each alerting rule that the target file names told of the failure that it is meant for, and of nothing else.

    A rule must tell only if users were harmed without a break for longer than it may take: a scrape and its time-out, an evaluation, its
    ``for`` in whole evaluations, and how far its expression looks back; or what the target file allows. Otherwise the fault was too short
    for it, which is no pass. It tells by firing; where the target file names a receiver, by Alertmanager's notification, and
    ``group_wait`` counts too. It is right if it told within that time of the beginning of users' harm; else late. It is missing if it had
    not fired when healing began. If it fired in time and no notification came, nobody was told, which is Alertmanager's part. It is false
    if it fired in a control run, or where no role was hit that it is meant for, without harm to users. Late, missing, told to nobody and
    false fail. Nothing is concluded if Prometheus did not answer meanwhile, if the receiver did not hear all that came, if the rule fired
    or was pending before the fault and no other alert of it began after, if it had fired within Alertmanager's ``group_interval`` before
    and its notification waited no longer than that, if it fired when users were harmed although no role was hit that it is meant for, or if
    it was not to fire and its evaluation failed.

    Source: alerts, notifications, requests or the ledger.
    """
    judged = judged_alerts(case)
    decided = [one for one in judged if one.outcome is not AlertOutcome.TOO_SHORT]
    if not decided:
        return None
    wrong = [one for one in decided if one.outcome in WRONG]
    unknown = [one for one in decided if one.outcome is AlertOutcome.UNKNOWN]
    first = dict.fromkeys([*wrong, *unknown, *judged])
    said, figures = " ".join(one.sentence for one in first), Figures(measured=float(len(wrong)), budget=0.0, unit="failed rules")
    if wrong:
        return failed("alerts", said, **figures)
    return inconclusive("alerts", said, **figures) if unknown else passed("alerts", said, **figures)


@measure("s", ASYNC)
@measure("s", TRAINING)
@measure("s", REQUESTS)
def ttd(case: Case) -> Value:
    """From t_fault until a rule that is meant for the fault told of it: the first that was right, or late.

    Where the target file names a receiver, it ends with Alertmanager's notification, as it came; the time of firing stands beside. Else it
    ends with firing, as it is seen when Prometheus is asked; whom Alertmanager tells, and when, is not asked then. Source: alerts,
    notifications.
    """
    if case.recovery is None:
        return NO_FAULT
    judged = judged_alerts(case)
    telling = [one for one in judged if one.outcome in {AlertOutcome.RIGHT, AlertOutcome.LATE}]
    first = min(telling, key=lambda one: one.told_s or 0.0, default=None)
    if first is not None:
        fired = f"{first.rule}: its notification; it fired after {seconds(first.firing_s)}"
        return Value(first.told_s, fired if first.awaited else f"{first.rule} fired")
    untold = next((one for one in judged if one.outcome is AlertOutcome.UNTOLD), None)
    if untold is not None:
        return Value(None, f"{untold.rule} fired after {seconds(untold.firing_s)}, and nobody was told")
    return Value(None, "no rule told of it" if judged else "the target names no alerting rule of this workload")
