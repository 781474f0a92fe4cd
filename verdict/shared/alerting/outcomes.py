"""What became of each alerting rule: whether it told, in time, of what it is meant for."""

from __future__ import annotations

from history.alert_plan import AlertPlan
from history.plan import Phase
from history.result import AlertJudged, AlertOutcome
from verdict.case import Case
from verdict.inputs.alert_record import alert_record
from verdict.inputs.notices import notices_of
from verdict.shared.alerting.look import OLDER, Found, Look, allowed, maybe_told
from verdict.shared.alerting.notified import notified
from verdict.shared.once import once
from verdict.shared.targets import roles_hit
from verdict.words import listed, seconds


@once
def judged_alerts(case: Case) -> tuple[AlertJudged, ...]:
    """Return what became of each rule whose users the workload's are."""
    return tuple(_judged(case, rule) for rule in case.run.plan.alerts if rule.workload == case.workload.name)


def _judged(case: Case, rule: AlertPlan) -> AlertJudged:
    record, recovery = alert_record(case.run.alerts, rule), case.recovery
    if recovery is None:
        return _said(rule, (AlertOutcome.UNKNOWN, "nothing was injected, so it is not known whether it would tell."))
    began_ns = case.timeline.phase_ns(Phase.BASELINE) if case.control else None
    look = Look(case, rule, record, notices_of(case.run.notifications, rule), recovery, recovery.fault_ns if began_ns is None else began_ns)
    found = _standing(look) or _unexplained(look) or _uncalled(look) or _told(look) or _untold(look)
    firing, told_ns = look.firing, look.told_ns
    firing_s = case.after_fault_s(firing.start_ns) if firing else None
    notified_s = None if told_ns is None else case.after_fault_s(told_ns)
    return _said(rule, found).model_copy(update={"firing_s": firing_s, "notified_s": notified_s, "harm_s": look.harm_s})


def _said(rule: AlertPlan, found: Found) -> AlertJudged:
    outcome, sentence = found
    what = {"rule": rule.rule, "group": rule.group, "roles": rule.roles, "allowed_s": rule.allowed_s}
    what |= {"awaited": rule.group_wait_s is not None}
    return AlertJudged.model_validate(what | {"outcome": outcome, "sentence": f"Alert {rule.rule}, {outcome.value}: {sentence}"})


def _standing(look: Look) -> Found | None:
    """Return that a rule fired, or waited, already when it began to count: what it says then is of something else."""
    when = "when the run began" if look.case.control else "before the fault"
    if look.new is not None:
        return None
    if look.record.standing_at(look.from_ns) is not None:
        return AlertOutcome.UNKNOWN, f"it fired already {when}, so what it says is not of this run; see what it tells of."
    firing = look.firing
    if firing is None:
        return None
    said = f"it fired {look.after_s(firing.start_ns)}, and"
    if firing.active_ns < look.from_ns:
        return AlertOutcome.UNKNOWN, f"{said} it waited for that (pending) already {when}; see what it tells of."
    return AlertOutcome.UNKNOWN, f"{said} Prometheus did not say whether it waited for that, or fired, already {when}."


def _unexplained(look: Look) -> Found | None:
    """Return that Alertmanager told of a rule that Prometheus never said to fire."""
    if look.firing is not None or look.told_ns is None:
        return None
    said = f"Alertmanager told of it {look.after_s(look.told_ns)}, yet Prometheus was never heard to say that it fires: it may be another's"
    return AlertOutcome.UNKNOWN, f"{said}. Write labels of prometheus that tell its alerts from those of others."


def _uncalled(look: Look) -> Found | None:
    """Return what became of a rule that was not to fire: in a control run, or where none of its roles was hit."""
    hit = roles_hit(look.case)
    if not look.case.control and (hit is None or hit & set(look.rule.roles)):
        return None
    meant = f"{listed(sorted(hit or ()))} was hit, and it is meant for {listed(look.rule.roles)}"
    why = "nothing was broken" if look.case.control else meant
    if look.firing is not None:
        said = f"it fired {look.after_s(look.firing.start_ns)}"
        if look.harmed_by(look.firing.start_ns):
            return AlertOutcome.UNKNOWN, f"{said}, when users were harmed, yet {why}: it may be right. {_meant_too(look.case)}"
        return AlertOutcome.FALSE, f"{said}, yet {why}."
    if blind_s := look.blind_s():
        return AlertOutcome.UNKNOWN, f"{why}, and Prometheus did not say for {seconds(blind_s)} whether it fired."
    if blind_s := look.blind_s(evaluated=True):
        return AlertOutcome.UNKNOWN, f"{why}, but it could not be evaluated for {seconds(blind_s)}; see its error in Prometheus."
    return AlertOutcome.SILENT, f"it did not fire, and {why}."


def _meant_too(case: Case) -> str:
    return "See what harmed them." if case.control else "If it is to tell of this failure, add the role to its roles."


def _told(look: Look) -> Found | None:
    """Return what became of a rule that fired for a fault that it is meant for."""
    if look.firing is None:
        return None
    if look.rule.group_wait_s is not None:
        return notified(look, look.firing, look.rule.group_wait_s)
    said, due_ns, silent_ns = f"it fired {look.after_s(look.firing.start_ns)}", look.due_ns, look.firing.silent_ns
    late_s = look.late_s(look.firing.start_ns)
    if late_s > look.slack_s and silent_ns is not None and due_ns is not None and silent_ns <= due_ns:
        asked = f"and Prometheus did not say before what it did from {look.after_s(silent_ns)} on"
        return AlertOutcome.UNKNOWN, f"{said}, {asked}: it may have been in time."
    if late_s > look.slack_s and maybe_told(look, look.firing):
        return AlertOutcome.UNKNOWN, f"{said}, {seconds(late_s)} later than the {allowed(look.rule)}; {OLDER} may have told in time."
    if late_s > look.slack_s:
        return AlertOutcome.LATE, f"{said}, {seconds(late_s)} later than the {allowed(look.rule)} after users' harm began."
    return AlertOutcome.RIGHT, f"{said}; {look.harm}, and it may take {allowed(look.rule)}."


def _untold(look: Look) -> Found:
    """Return what became of a rule that is meant for the fault and did not fire."""
    harm = look.harm
    if look.due_ns is None:
        return AlertOutcome.TOO_SHORT, f"{harm}, and it may take {allowed(look.rule)}."
    if blind_s := look.blind_s():
        return AlertOutcome.UNKNOWN, f"{harm}, and Prometheus did not say for {seconds(blind_s)} whether it fired."
    why = " Its evaluation failed meanwhile." if look.record.failed_within(look.from_ns, look.recovery.watched_ns) else ""
    return AlertOutcome.MISSING, f"{harm}, longer than the {allowed(look.rule)}, and it had not fired when healing began.{why}"
