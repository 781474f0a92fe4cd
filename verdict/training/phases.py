"""Where the time until training was beyond its high-water mark went, phase by phase: they sum up to rto_train."""

from __future__ import annotations

from history.kinds import TRAINING
from history.schema import EventKind
from verdict.case import Case
from verdict.inputs.training_job import Start, TrainingJob
from verdict.shared.once import once
from verdict.shared.registry import NO_FAULT, Value, measure


@measure("s", TRAINING)
def phase_went_on(case: Case) -> Value:
    """Went on: from t_fault to the last progress before the last outage, earlier outages included. Source: training ledger."""
    return _phase(case, "went on")


@measure("s", TRAINING)
def phase_replace(case: Case) -> Value:
    """Replace: from then to the creation of the last new pod of a rank before the restore; none if every pod was kept.

    Detection, node-monitor-grace-period and the pod's toleration are in it. Source: training ledger, pod.created events.
    """
    return _phase(case, "replace")


@measure("s", TRAINING)
def phase_gang(case: Case) -> Value:
    """Gang: from then until the last new attempt began to restore: the collective's timeout, rendezvous, start of the ranks.

    Source: training ledger.
    """
    return _phase(case, "gang")


@measure("s", TRAINING)
def phase_restore(case: Case) -> Value:
    """Restore: how long the last new attempt looked for a checkpoint, loaded and verified it, as it says. Source: training ledger."""
    return _phase(case, "restore")


@measure("s", TRAINING)
def phase_first_step(case: Case) -> Value:
    """First step: from the end of the restore to the first step that all ranks did. Source: training ledger."""
    return _phase(case, "first step")


@measure("s", TRAINING)
def phase_replay(case: Case) -> Value:
    """Replay: from that step to the first one beyond the high-water mark: what was lost is done again. Source: training ledger."""
    return _phase(case, "replay")


@once
def phases_of_training(case: Case) -> dict[str, float]:
    """Return the phases of the last outage that a new attempt ended, in their order (s); empty if there was none."""
    job, recovery = case.training, case.recovery
    if job is None or recovery is None or recovery.recovered_ns is None or not recovery.outages:
        return {}
    out_ns, back_ns = recovery.outages[-1].start_ns, recovery.recovered_ns
    starts = [start for start in job.starts if out_ns < start.t_ns <= back_ns]
    if not starts:
        return {}
    return _lasted(recovery.fault_ns, _marks(case, job, starts[-1], out_ns, back_ns))


def _marks(case: Case, job: TrainingJob, start: Start, out_ns: int, back_ns: int) -> dict[str, int]:
    """Return when each phase ended (ns), in their order."""
    restore_ns = max(out_ns, start.t_ns - int(start.restore_s * 1e9))
    hosts = set(job.rows.filter(job.rows["attempt"] == start.attempt)["host"].drop_nulls())
    created = [
        event.t_ns
        for event in case.timeline.all(EventKind.POD_CREATED)
        if out_ns < event.t_ns <= restore_ns and any(event.object.startswith(f"{host}-") for host in hosts)
    ]
    first_ns = min((step.t_ns for step in job.done if step.attempt == start.attempt), default=back_ns)
    replaced = {"replace": created[-1]} if created else {}
    return {"went on": out_ns} | replaced | {"gang": restore_ns, "restore": start.t_ns, "first step": first_ns, "replay": back_ns}


def _lasted(begun_ns: int, marks: dict[str, int]) -> dict[str, float]:
    lasted_s = {}
    for name, end_ns in marks.items():
        lasted_s[name] = max(0, end_ns - begun_ns) / 1e9
        begun_ns = max(begun_ns, end_ns)
    return lasted_s


def _phase(case: Case, name: str) -> Value:
    if case.recovery is None:
        return NO_FAULT
    lasted_s = phases_of_training(case).get(name)
    return Value(None, "no new attempt ended an outage, or nothing was replaced") if lasted_s is None else Value(lasted_s)
