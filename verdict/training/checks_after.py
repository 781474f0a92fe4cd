"""Checks of a training job after its recovery, and of one that nothing should have hurt."""

from __future__ import annotations

from history.kinds import TRAINING
from history.result import Check
from verdict.case import Case
from verdict.inputs.training_job import verified_ns
from verdict.shared.registry import Role, check
from verdict.shared.results import failed, inconclusive, passed
from verdict.training.checks import of_run
from verdict.training.needs import unverifiable
from verdict.words import count, seconds


@check(TRAINING, Role.RESTING, title="Checkpoints afterwards")
def checkpoints(case: Case) -> Check:
    """Check that checkpoints are made and verified again after recovery; without them the next fault would cost all steps since."""
    job, recovery = of_run(case), case.recovery
    if recovery is None or recovery.recovered_ns is None:
        return inconclusive("checkpoints", "Training was not seen to go on, so no checkpoint could be made after recovery.")
    later = [step for t_ns, step in verified_ns(job) if t_ns >= recovery.recovered_ns]
    if later:
        return passed("checkpoints", f"{count(len(later), 'checkpoint was', 'checkpoints were')} verified after recovery.")
    due_s = max(0.0, (job.done[-1].t_ns - recovery.recovered_ns) / 1e9)
    steps = job.progress[-1].step - job.high_water(recovery.recovered_ns)
    said = f"No checkpoint was verified in {seconds(due_s)} and {count(steps, 'step')} after recovery{unverifiable(job)}."
    due = steps > 2 * job.plan.interval_steps
    return failed("checkpoints", said) if due else inconclusive("checkpoints", said)


@check(TRAINING, Role.RESTING, title="No impact (control)")
def impact(case: Case) -> Check | None:
    """Check that training was not out in a control run (no fault, or one on a decoy)."""
    if not case.control:
        return None
    recovery = case.recovery
    if recovery is None:
        return inconclusive("impact", "The control run was never observed.")
    if recovery.outages:
        return failed("impact", f"Nothing was broken, yet training was out {count(len(recovery.outages), 'time')}.")
    if recovery.recovered_ns is None:
        return inconclusive("impact", "The control run was watched for less than a hold.")
    return passed("impact", "The control run shows no impact: training was never out.")
