"""Rows of the page's tables, made of the report's values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from history.result import RANK, Check, Measurement, Verdict
from reports import names
from reports.axis import Lane, Progress, TimeAxis
from reports.kept import SceneFile
from reports.model import Experiment, Timeline, Trial
from reports.night.harm import out_text
from reports.text import at_seconds, quantity
from verdict.floor import floor_of, is_below
from verdict.words import NONE, interval, number, percent, seconds


@dataclass(frozen=True, slots=True)
class Against:
    """A measured value and its budget in words."""

    value: str
    budget: str

    def __str__(self) -> str:
        return f"{self.value} ({self.budget})" if self.budget else self.value


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One row of the budget table: the worst trial's values."""

    rto: str
    rto_over: bool
    rpo: Against
    availability: Against
    bad: str
    false_healthy: str
    false_ready: str  # what Kubernetes said meanwhile; empty: nothing of the kind
    trials: str


def budget_row(experiment: Experiment) -> BudgetRow:
    """Return the row of ``experiment`` in the budget table."""
    trial = experiment.trials[0]
    known = [t for t in experiment.trials if t.rto_s is not None]
    worst = max(known, key=lambda t: (t.rto_censored, t.rto_s or 0.0), default=trial)
    return BudgetRow(
        rto=rto_text(worst),
        rto_over=any(check.name == "rto" and check.verdict is Verdict.FAIL for check in worst.checks),
        rpo=against(trial, next((check.name for check in trial.checks if names.in_column(check.name, names.RPO)), "")),
        availability=_availability(trial),
        bad=number(trial.value(names.BAD_REQUESTS), 9),
        false_healthy=measurement_text(trial.measured(names.FALSE_HEALTHY)),
        false_ready=measurement_text(trial.measured(names.FALSE_READY)) if trial.value(names.FALSE_READY) else "",
        trials=f"{sum(t.counts_as is Verdict.PASS for t in experiment.trials)} of {len(experiment.trials)}",
    )


def rto_text(trial: Trial) -> str:
    """Return ``52.6 s to 52.8 s (limit 60 s)``, ``> 112 s (limit 60 s)`` or ``no outage``; one figure of training and older verdicts."""
    if trial.rto_s is None:
        return "not measured"
    if not trial.outages and trial.rto_s == 0:
        caught = trial.value(names.INTERRUPTED)
        if caught:
            return f"no outage after, {number(caught, 9)} hurt under way"
        if not trial.rto_low_s:
            return "no outage"
    return out_text(trial) + ("" if trial.budgets.rto_s is not None else ", no limit set")


def check_of(trial: Trial, name: str) -> Check | None:
    """Return the check ``name`` of ``trial``, if it was made."""
    return next((check for check in trial.checks if check.name == name), None)


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One row of the table of checks."""

    verdict: Verdict
    label: str
    measured: str
    budget: str
    margin: str
    sentence: str


def check_rows(trial: Trial) -> list[CheckRow]:
    """Return the checks of ``trial``, worst first."""
    return [_check_row(check) for check in sorted(trial.checks, key=lambda check: -RANK[check.verdict])]


def _check_row(check: Check) -> CheckRow:
    unit = names.unit(check.name, check.unit)
    measured = ("> " if check.censored else "") + quantity(check.measured, unit)
    return CheckRow(check.verdict, names.label(check.name), measured, quantity(check.budget, unit), percent(check.margin), check.sentence)


def against(trial: Trial, name: str) -> Against:
    """Return what was measured of the budget ``name``, and the budget in words (empty: none was set)."""
    check, measurement = check_of(trial, name), trial.measured(name)
    value, unit = (check.measured, check.unit) if check else (measurement.value, measurement.unit) if measurement else (None, "")
    return Against(quantity(value, names.unit(name, unit)), "" if check is None or check.budget is None else _allowed(check, check.budget))


def _availability(trial: Trial) -> Against:
    """Return the availability, and over which window from the fault on it is counted."""
    found, window = against(trial, names.AVAILABILITY), f"over {seconds(trial.budgets.availability_window_s)}"
    return found if found.value == NONE else replace(found, budget=f"{found.budget} {window}".strip())


def _allowed(check: Check, budget: float) -> str:
    if budget == 0:
        return "none allowed"
    return f"{'at least' if names.at_least(check.name) else 'at most'} {quantity(budget, names.unit(check.name, check.unit))}"


@dataclass(frozen=True, slots=True)
class RecoveryRow:
    """One row of the recovery table."""

    label: str
    measured: str
    floor: str
    note: str


def recovery_rows(trial: Trial) -> list[RecoveryRow]:
    """Return what happened after the fault, in order, beside the floor; empty if there was nothing to recover from."""
    if all(trial.value(name) is None for name in names.RECOVERY):
        return []
    labels = names.RECOVERY | (names.OF_TRAINING if trial.training else {})
    asked = [name for name in labels if name != names.TTD or trial.alerts]
    return [_recovery_row(trial, measurement, labels[name]) for name in asked if (measurement := trial.measured(name))]


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One row of the table of alerts."""

    rule: str
    roles: str
    outcome: str
    fired: str
    told: str
    harm: str
    allowed: str


def alert_rows(trial: Trial) -> list[AlertRow]:
    """Return what became of each alerting rule that the target file names."""
    return [
        AlertRow(
            one.rule,
            ", ".join(one.roles),
            one.outcome.value,
            seconds(one.firing_s),
            seconds(one.notified_s) if one.awaited else "not asked",
            seconds(one.harm_s),
            seconds(one.allowed_s),
        )
        for one in trial.alerts
    ]


def phase_rows(trial: Trial) -> list[tuple[str, str]]:
    """Return (phase, how long it took) of each phase of the way to full capacity that is known."""
    return [
        (part, measurement_text(measurement))
        for name, part in names.PHASES.items()
        if (measurement := trial.measured(name)) and measurement.value is not None
    ]


def dominant(trial: Trial) -> str:
    """Say which phase took longest; empty if none is known."""
    measurement = trial.measured(names.DOMINANT)
    return f"Longest: {measurement.sentence}." if measurement and measurement.value is not None else ""


def other_rows(trial: Trial) -> list[tuple[str, str, str]]:
    """Return (name, value, note) of every measurement that no other table shows."""
    shown = {*names.RECOVERY, *names.PHASES, *names.REASONS, names.DOMINANT}
    return [(names.label(m.name), measurement_text(m), m.sentence) for m in trial.measurements if m.name not in shown]


def measurement_text(measurement: Measurement | None) -> str:
    """Return a measured value with its unit, "> " before a lower bound, a dash if there is none."""
    if measurement is None or measurement.value is None:
        return quantity(None, "")
    return ("> " if measurement.censored else "") + quantity(measurement.value, names.unit(measurement.name, measurement.unit))


def _recovery_row(trial: Trial, measurement: Measurement, label: str) -> RecoveryRow:
    parts = [measurement.sentence] if measurement.sentence else []
    if measurement.name == "rto" and measurement.value is not None:
        parts += _read_to(trial)
    floor_s = floor_of(trial.floor, measurement.name)
    if trial.floor and floor_s is not None:
        parts.append(("quicker than its floor: " if is_below(trial.floor, measurement) else "floor: ") + trial.floor.sentence)
    about = "about " if trial.floor and trial.floor.estimate else ""
    floor = "" if floor_s is None else about + seconds(floor_s)
    return RecoveryRow(label, measurement_text(measurement), floor, "; ".join(parts))


def _read_to(trial: Trial) -> list[str]:
    """Say how finely the RTO is known: its interval, or of training and older verdicts how finely it is read."""
    if trial.rto_low_s is not None:
        return [f"{interval(trial.rto_low_s, trial.rto_high_s)} (95 %)"]
    return [] if trial.rto_resolution_s is None else [f"± {seconds(trial.rto_resolution_s)}"]


def buckets_table(timeline: Timeline) -> list[tuple[str, ...]]:
    """Return the plot's numbers: (from, offered, bad, p50, p95, largest latency), one row a bucket."""
    b = timeline.table
    rows = zip(b.offered, b.bad, b.p50_ms, b.p95_ms, b.max_ms, strict=True)
    starts = (at_seconds(round(b.from_s + i * b.width_s, 3)) for i in range(len(b.offered)))
    return [(start, *(number(value, 9 if i < 2 else 4) for i, value in enumerate(row))) for start, row in zip(starts, rows, strict=True)]


def attempts_table(progress: Progress) -> list[tuple[str, ...]]:
    """Return (attempt, began, went on from step, reached step, steps lost, done again until), one row an attempt."""
    return [
        (
            str(attempt.attempt),
            at_seconds(attempt.from_s),
            str(attempt.from_step),
            number(attempt.step[-1] if attempt.step else None, 9),
            str(attempt.lost_steps),
            "" if attempt.replayed_to_s is None else at_seconds(attempt.replayed_to_s),
        )
        for attempt in progress.attempts
    ]


def checkpoints_table(progress: Progress) -> list[tuple[str, ...]]:
    """Return (when, step, what became of it, why), one row a checkpoint."""
    return [(at_seconds(saved.t_s), str(saved.step), saved.state, saved.note) for saved in progress.checkpoints]


def lanes_table(timeline: TimeAxis) -> list[tuple[str, str]]:
    """Return (lane, its states in words)."""
    return [(lane.name, _states(lane)) for lane in timeline.lanes]


def _states(lane: Lane) -> str:
    return "; ".join(
        f"{bar.label or bar.state} from {at_seconds(bar.from_s)} to {'the end' if bar.to_s is None else at_seconds(bar.to_s)}"
        for bar in lane.bars
    )


def scene_files(trial: Trial) -> tuple[list[SceneFile], list[SceneFile]]:
    """Return the files kept of what the fault met and of the platform as a whole, and those of pods that it did not meet."""
    pods = [name for effect in trial.fault.effects for kind, _, name in [effect.target.partition("/")] if kind == "Pod"]
    others = [file for file in trial.scene if pods and file.path.endswith(".log") and not any(pod in file.path for pod in pods)]
    return [file for file in trial.scene if file not in others], others
