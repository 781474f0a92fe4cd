"""What became of a rule that fired for a fault that it is meant for, where the suite awaits Alertmanager's notification."""

from __future__ import annotations

from history.result import AlertOutcome
from verdict.inputs.alert_record import Firing
from verdict.shared.alerting.look import OLDER, Found, Look, allowed, maybe_told
from verdict.words import plain, seconds

JOINED = "An alert that joins a group that was told already waits for its group_interval"


def notified(look: Look, firing: Firing, group_wait_s: float) -> Found:
    """Return what became of the rule. ``firing``: the first that counts; ``group_wait_s``: how long Alertmanager waits at most (s)."""
    said, told_ns = f"it fired {look.after_s(firing.start_ns)}", look.told_ns
    if told_ns is None:
        return _untold(look, firing, group_wait_s, said)
    said, late_s = f"{said}, and its notification came {look.after_s(told_ns)}", look.late_s(told_ns)
    if late_s <= look.slack_s:
        return AlertOutcome.RIGHT, f"{said}; {look.harm}, and it may take {allowed(look.rule)}."
    if gap := look.notices.gap(firing.start_ns, told_ns):
        return AlertOutcome.UNKNOWN, f"{said}, but {gap}: it may have been told in time."
    if maybe_told(look, firing):
        return AlertOutcome.UNKNOWN, f"{said}, {seconds(late_s)} later than the {allowed(look.rule)}; {OLDER} may have told in time."
    if again := _again(look, firing, told_ns):
        return AlertOutcome.UNKNOWN, f"{said}, {seconds(late_s)} later than the {allowed(look.rule)}; {again}."
    whose = (
        "The rule fired too late for more." if _fired_late(look, firing, group_wait_s) else f"That is Alertmanager's part. {_joined(look)}"
    )
    return AlertOutcome.LATE, f"{said}, {seconds(late_s)} later than the {allowed(look.rule)} after users' harm began. {whose}"


def _untold(look: Look, firing: Firing, group_wait_s: float, said: str) -> Found:
    """Return what became of a rule of which no notification came."""
    watched_ns = look.recovery.watched_ns
    if look.due_ns is None:
        return AlertOutcome.TOO_SHORT, f"{said}; {look.harm}, and it may take {allowed(look.rule)}."
    if gap := look.notices.gap(firing.start_ns, watched_ns):
        return AlertOutcome.UNKNOWN, f"{said}, but {gap}: it is not known whether anybody was told."
    if else_told := _told_otherwise(look, firing):
        return AlertOutcome.UNKNOWN, f"{said}, and no notification of that came, but {else_told}."
    lasted_s = (min(firing.end_ns or watched_ns, watched_ns) - firing.start_ns) / 1e9
    untold = f"{look.harm}, longer than the {allowed(look.rule)}, and nobody had been told when healing began"
    if _fired_late(look, firing, group_wait_s):
        return AlertOutcome.MISSING, f"{untold}: {said} only."
    if lasted_s <= group_wait_s + look.slack_s:
        why = f"{said} for {seconds(lasted_s)}, and Alertmanager tells only of what fires for longer than its group_wait"
        return AlertOutcome.MISSING, f"{untold}: {why}, {plain(group_wait_s)}."
    part = "That is Alertmanager's part. See its routes, silences and inhibitions, and in its log whether it reaches the suite's receiver."
    part += " What fired shortly before already, as in an earlier run, waits for group_interval or repeat_interval."
    return AlertOutcome.UNTOLD, f"{said}, and {untold}. {part}"


def _again(look: Look, firing: Firing, until_ns: int) -> str:
    """Return why Alertmanager may wait until ``until_ns`` with what fired again; empty: it did not, or waits for too long."""
    interval_s, before_s = look.rule.group_interval_s, look.again_s(firing)
    waited_s = (until_ns - firing.start_ns) / 1e9
    if interval_s is None or before_s is None or waited_s > interval_s + look.slack_s:
        return ""
    if _fired_late(look, firing, look.rule.group_wait_s or 0.0):  # the rule's own part, whatever Alertmanager did
        return ""
    held = seconds(look.held_s)
    waits = f"it had fired until {seconds(before_s)} before, and what fires again within {held} may wait for group_interval"
    return f"{waits}, {plain(interval_s)}; it waited {seconds(waited_s)}; leave {held} between runs, or make group_interval shorter"


def _joined(look: Look) -> str:
    interval_s = look.rule.group_interval_s
    return f"{JOINED}." if interval_s is None else f"{JOINED}, {plain(interval_s)}."


def _told_otherwise(look: Look, firing: Firing) -> str:
    """Return why a notification may not have come as yet, or what may have told in its place; empty: nothing."""
    if again := _again(look, firing, look.recovery.watched_ns):
        return again
    if maybe_told(look, firing):
        return f"{OLDER} may have told"
    if look.told_before_ns is None:
        return ""
    before = f"one came {look.after_s(look.told_before_ns)} of an alert that fires since the fault, before Prometheus said so"
    return f"{before}: it may be of another Prometheus of a pair, or clocks differ"


def _fired_late(look: Look, firing: Firing, group_wait_s: float) -> bool:
    """Tell whether a rule fired too late to be told in time."""
    return look.late_s(firing.start_ns) + group_wait_s > look.slack_s
