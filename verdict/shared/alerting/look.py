"""What is looked at to judge an alerting rule, and how long it may take, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from history.alert_plan import AlertPlan
from history.result import AlertOutcome
from verdict.case import Case
from verdict.inputs.alert_record import AlertRecord, Firing
from verdict.inputs.notices import Notices
from verdict.inputs.recovery import Recovery
from verdict.shared.targets import nodes_hit, target_pods
from verdict.words import plain, seconds

Found = tuple[AlertOutcome, str]
"""What became of a rule, and what is said of it after its name."""
OLDER = "another alert of it, that fired or waited (pending) already before the fault,"


@dataclass(frozen=True, slots=True)
class Look:
    """What a judgement of a rule needs: what was heard of it, the stretch in which it counts, and users' harm.

    Times are s, or ns UTC. ``due_ns``: when it must have told.
    """

    case: Case
    rule: AlertPlan
    record: AlertRecord
    notices: Notices
    recovery: Recovery
    from_ns: int

    @property
    def fresh_ns(self) -> int:
        """How long an answer of Prometheus holds (ns)."""
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
    def told_ns(self) -> int | None:
        """When Alertmanager told of it first: of that firing, or where none was seen, at all; not of an alert that fired before."""
        begun_ns = self.from_ns if self.firing is None else max(self.from_ns, self.firing.silent_ns or 0)
        return self.notices.first_within(begun_ns, self.recovery.watched_ns, begun_ns - self.fresh_ns)

    @property
    def told_before_ns(self) -> int | None:
        """When Alertmanager told first of an alert that fires since the fault, whatever Prometheus said; ``None``: it did not."""
        return self.notices.first_within(self.from_ns, self.recovery.watched_ns, self.from_ns - self.fresh_ns)

    def again_s(self, firing: Firing) -> float | None:
        """How long before ``firing`` the rule fired last (s), where Alertmanager may still hold that in its group; else ``None``."""
        if not self.rule.group_interval_s:
            return None
        seen = (self.record.fired_within(0, firing.start_ns), self.rule.fired_ns)
        last_ns = max((t_ns for t_ns in seen if t_ns is not None and t_ns <= firing.start_ns), default=None)
        before_s = None if last_ns is None else (firing.start_ns - last_ns) / 1e9
        return before_s if before_s is not None and before_s <= self.held_s else None

    @property
    def held_s(self) -> float:
        """For how long after it was last seen to fire Alertmanager may hold it in its group (s), where ``group_interval`` is known.

        Prometheus says only at its next evaluation that it is over, and both times are seen as finely as ``slack_s``.
        """
        return (self.rule.group_interval_s or 0.0) + self.rule.evaluation_s + self.slack_s

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
        """How long users were harmed without a break, at most (s)."""
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

    def late_s(self, t_ns: int) -> float:
        """How much later than due that is (s); 0 where nothing had to be told."""
        return 0.0 if self.due_ns is None else (t_ns - self.due_ns) / 1e9

    def after_s(self, t_ns: int) -> str:
        """How long after the fault that is, in words."""
        return f"{seconds(self.case.after_fault_s(t_ns))} after the fault"


def maybe_told(look: Look, new: Firing) -> bool:
    """Tell whether an older alert may have told of the fault before ``new`` did: not where ``new`` is by its labels of what was hit."""
    if new.named & {*target_pods(look.case), *nodes_hit(look.case)}:
        return False
    return look.record.older_within(look.from_ns, new.start_ns, look.fresh_ns)


def allowed(rule: AlertPlan) -> str:
    """Return how long a rule may take, with what that is made of."""
    waits = "for" if rule.waits_s == rule.for_s else f"for {plain(rule.for_s)}, in whole evaluations"
    parts = {"scrape": rule.scrape_s, "scrape time-out": rule.scrape_timeout_s, "evaluation": rule.evaluation_s}
    parts = {name: part_s for name, part_s in parts.items() if part_s} | {waits: rule.waits_s}
    parts |= {"range": rule.range_s} if rule.range_s else {}
    parts |= {} if rule.group_wait_s is None else {"group_wait": rule.group_wait_s}
    made = f"{' + '.join(f'{name} {plain(part_s)}' for name, part_s in parts.items())} = {plain(rule.timers_s)}"
    return plain(rule.timers_s) + f" ({made})" if rule.within_s is None else f"{plain(rule.within_s)} that the target file allows ({made})"
