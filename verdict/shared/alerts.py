"""Whether the platform's alerts told of the fault: check ``alerts``, with the time until the first of them fired."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from history.alert_plan import AlertPlan
from history.kinds import ASYNC, REQUESTS, TRAINING
from history.plan import Phase
from history.result import AlertJudged, AlertOutcome, Check
from verdict.case import Case
from verdict.inputs.alert_record import AlertRecord, Firing, alert_record
from verdict.inputs.recovery import Recovery
from verdict.shared.once import once
from verdict.shared.registry import NO_FAULT, Role, Value, check, measure
from verdict.shared.results import Figures, failed, inconclusive, passed
from verdict.shared.targets import nodes_hit, roles_hit, target_pods
from verdict.words import listed, plain, seconds

WRONG = frozenset({AlertOutcome.LATE, AlertOutcome.MISSING, AlertOutcome.FALSE})
Found = tuple[AlertOutcome, str]
"""What became of a rule, and what is said of it after its name."""


@check(ASYNC, Role.RESTING, title="Alerts")
@check(TRAINING, Role.RESTING, title="Alerts")
@check(REQUESTS, Role.RESTING, title="Alerts", felt=True)
def alerts(case: Case) -> Check | None:
    """Check that each alerting rule that the target file names told of the failure that it is meant for, and of nothing else.

    A rule must tell only if users were harmed without a break for longer than it may take: a scrape and its time-out, an evaluation, its
    ``for`` in whole evaluations, and how far its expression looks back; or what the target file allows. Otherwise the fault was too short
    for it, which is no pass. It tells by firing. It is right if it fired within that time of the beginning of users' harm; else late. It
    is missing if it had not fired when healing began. It is false if it fired in a control run, or where no role was hit that it is meant
    for, without harm to users. Late, missing and false fail. Nothing is concluded if Prometheus did not answer meanwhile, if the rule
    fired or was pending before the fault and no other alert of it began after, if it fired when users were harmed although no role was
    hit that it is meant for, or if it was not to fire and its evaluation failed.

    Source: alerts, requests or the ledger.
    """
    judged = judged_alerts(case)
    decided = [one for one in judged if one.outcome is not AlertOutcome.TOO_SHORT]
    if not decided:
        return None
    wrong = [one for one in decided if one.outcome in WRONG]
    unknown = [one for one in decided if one.outcome is AlertOutcome.UNKNOWN]
    first = dict.fromkeys([*wrong, *unknown, *judged])
    said, figures = " ".join(one.sentence for one in first), Figures(measured=float(len(wrong)), budget=0.0, unit="rules")
    if wrong:
        return failed("alerts", said, **figures)
    return inconclusive("alerts", said, **figures) if unknown else passed("alerts", said, **figures)


@measure("s", ASYNC)
@measure("s", TRAINING)
@measure("s", REQUESTS)
def ttd(case: Case) -> Value:
    """From t_fault until Prometheus said that a rule fires that is meant for the fault: the first that was right, or late.

    It ends with firing. Whom Alertmanager tells, and when, is not asked: its ``group_wait`` comes on top. It is seen when Prometheus is
    asked. Source: alerts.
    """
    if case.recovery is None:
        return NO_FAULT
    judged = judged_alerts(case)
    telling = [one for one in judged if one.outcome in {AlertOutcome.RIGHT, AlertOutcome.LATE}]
    first = min(telling, key=lambda one: one.firing_s or 0.0, default=None)
    if first is None:
        return Value(None, "no rule told of it" if judged else "the target names no alerting rule of this workload")
    return Value(first.firing_s, f"{first.rule} fired")


@once
def judged_alerts(case: Case) -> tuple[AlertJudged, ...]:
    """Return what became of each rule whose users the workload's are."""
    return tuple(_judged(case, rule) for rule in case.run.plan.alerts if rule.workload == case.workload.name)


@dataclass(frozen=True, slots=True)
class _Look:
    """What a judgement of a rule needs: its record, the stretch in which it counts, and users' harm (seconds; ``due_ns``: when to tell)."""

    case: Case
    rule: AlertPlan
    record: AlertRecord
    recovery: Recovery
    from_ns: int

    @property
    def fresh_ns(self) -> int:
        return round(self.rule.fresh_s * 1e9)

    @property
    def new(self) -> Firing | None:
        """The first firing of an alert that neither fired nor waited before it counted."""
        return self.record.new_within(self.from_ns, self.recovery.watched_ns, self.fresh_ns)

    @property
    def firing(self) -> Firing | None:
        """The firing that it is judged by: a new one, whatever other alerts of the rule said before; else the first."""
        return self.new or self.record.begun_within(self.from_ns, self.recovery.watched_ns)

    @property
    def slack_s(self) -> float:
        """How finely harm and firing are seen (s)."""
        return self.rule.asked_every_s + self.case.resolution_s

    def harms(self) -> Iterator[tuple[int, float]]:
        """Yield when each outage began, and how long it lasted (s), as far as it was watched."""
        until_ns = self.recovery.watched_ns
        for span in self.recovery.outages:
            yield span.start_ns, (min(until_ns if span.end_ns is None else span.end_ns, until_ns) - span.start_ns) / 1e9

    @property
    def harm_s(self) -> float:
        return max((lasted_s for _, lasted_s in self.harms()), default=0.0)

    @property
    def harm(self) -> str:
        """How long users were harmed without a break, in words."""
        return f"users were harmed for {seconds(self.harm_s)}" if self.harm_s else "users were not harmed"

    @property
    def due_ns(self) -> int | None:
        """When the rule must have told, by the first outage that was long enough; ``None``: none was."""
        allowed_s = self.rule.allowed_s
        return next((start + round(allowed_s * 1e9) for start, lasted_s in self.harms() if lasted_s > allowed_s + self.slack_s), None)

    def blind_s(self, *, evaluated: bool = False) -> float:
        """For how long nobody knew what the rule said (s); ``evaluated``: an evaluation that failed says nothing, either."""
        return self.record.blind_ns(self.from_ns, self.recovery.watched_ns, self.fresh_ns, evaluated=evaluated) / 1e9

    def harmed_by(self, t_ns: int) -> bool:
        """Tell whether an outage may have begun by ``t_ns``."""
        return any(start_ns <= t_ns + round(self.slack_s * 1e9) for start_ns, _ in self.harms())

    def after_s(self, t_ns: int) -> str:
        return f"{seconds(self.case.after_fault_s(t_ns))} after the fault"


def _judged(case: Case, rule: AlertPlan) -> AlertJudged:
    record, recovery = alert_record(case.run.alerts, rule), case.recovery
    if recovery is None:
        return _said(rule, (AlertOutcome.UNKNOWN, "nothing was injected, so it is not known whether it would tell."))
    began_ns = case.timeline.phase_ns(Phase.BASELINE) if case.control else None
    look = _Look(case, rule, record, recovery, recovery.fault_ns if began_ns is None else began_ns)
    found = _standing(look) or _uncalled(look) or _told(look) or _untold(look)
    firing = look.firing
    firing_s = case.after_fault_s(firing.start_ns) if firing else None
    return _said(rule, found).model_copy(update={"firing_s": firing_s, "harm_s": look.harm_s})


def _said(rule: AlertPlan, found: Found) -> AlertJudged:
    outcome, sentence = found
    what = {"rule": rule.rule, "group": rule.group, "roles": rule.roles, "allowed_s": rule.allowed_s}
    return AlertJudged.model_validate(what | {"outcome": outcome, "sentence": f"Alert {rule.rule}, {outcome.value}: {sentence}"})


def _standing(look: _Look) -> Found | None:
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


def _uncalled(look: _Look) -> Found | None:
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


def _told(look: _Look) -> Found | None:
    """Return what became of a rule that fired for a fault that it is meant for."""
    if look.firing is None:
        return None
    said, due_ns, silent_ns = f"it fired {look.after_s(look.firing.start_ns)}", look.due_ns, look.firing.silent_ns
    late_s = 0.0 if due_ns is None else (look.firing.start_ns - due_ns) / 1e9
    if late_s > look.slack_s and silent_ns is not None and due_ns is not None and silent_ns <= due_ns:
        asked = f"and Prometheus did not say before what it did from {look.after_s(silent_ns)} on"
        return AlertOutcome.UNKNOWN, f"{said}, {asked}: it may have been in time."
    if late_s > look.slack_s and _maybe_told(look, look.firing):
        older = "another alert of it, that fired or waited (pending) already before the fault, may have told in time"
        return AlertOutcome.UNKNOWN, f"{said}, {seconds(late_s)} later than the {allowed(look.rule)}; {older}."
    if late_s > look.slack_s:
        return AlertOutcome.LATE, f"{said}, {seconds(late_s)} later than the {allowed(look.rule)} after users' harm began."
    return AlertOutcome.RIGHT, f"{said}; {look.harm}, and it may take {allowed(look.rule)}."


def _maybe_told(look: _Look, new: Firing) -> bool:
    """Tell whether an older alert may have told of the fault before ``new`` did: not where ``new`` is by its labels of what was hit."""
    if new.named & {*target_pods(look.case), *nodes_hit(look.case)}:
        return False
    return look.record.older_within(look.from_ns, new.start_ns, look.fresh_ns)


def _untold(look: _Look) -> Found:
    """Return what became of a rule that is meant for the fault and did not fire."""
    harm = look.harm
    if look.due_ns is None:
        return AlertOutcome.TOO_SHORT, f"{harm}, and it may take {allowed(look.rule)}."
    if blind_s := look.blind_s():
        return AlertOutcome.UNKNOWN, f"{harm}, and Prometheus did not say for {seconds(blind_s)} whether it fired."
    why = " Its evaluation failed meanwhile." if look.record.failed_within(look.from_ns, look.recovery.watched_ns) else ""
    return AlertOutcome.MISSING, f"{harm}, longer than the {allowed(look.rule)}, and it had not fired when healing began.{why}"


def allowed(rule: AlertPlan) -> str:
    """Return how long a rule may take, with what that is made of."""
    waits = "for" if rule.waits_s == rule.for_s else f"for {plain(rule.for_s)}, in whole evaluations"
    parts = {"scrape": rule.scrape_s, "scrape time-out": rule.scrape_timeout_s, "evaluation": rule.evaluation_s}
    parts = {name: part_s for name, part_s in parts.items() if part_s} | {waits: rule.waits_s}
    parts |= {"range": rule.range_s} if rule.range_s else {}
    made = f"{' + '.join(f'{name} {plain(part_s)}' for name, part_s in parts.items())} = {plain(rule.timers_s)}"
    return plain(rule.timers_s) + f" ({made})" if rule.within_s is None else f"{plain(rule.within_s)} that the target file allows ({made})"
