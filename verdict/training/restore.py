"""What new attempts of a training job went on from: how soon, from which store, past how many checkpoints."""

from __future__ import annotations

from history.kinds import TRAINING
from verdict.case import Case
from verdict.inputs.training_job import Start, TrainingJob
from verdict.shared.registry import Value, measure
from verdict.training.measures import since_fault


@measure("s", TRAINING)
def verified_state(case: Case) -> Value:
    """From t_fault until the last new attempt had restored a verified state, digests compared.

    0 if no new attempt began, since the state in memory was never lost; a start from nothing has none. Source: training ledger.
    """

    def restored(_job: TrainingJob, starts: tuple[Start, ...], fault_ns: int) -> Value:
        if not starts:
            out = case.recovery is not None and case.recovery.recovered_ns is None
            return Value(None if out else 0.0, "no new attempt began")
        last = starts[-1]
        return Value((last.t_ns - fault_ns) / 1e9) if last.detail.get("checkpoint") else Value(None, "it started from nothing")

    return since_fault(case, restored)


@measure("steps", TRAINING)
def fallback_depth(case: Case) -> Value:
    """How many finished checkpoints a new attempt passed over as not verified; of several, the most. Source: training ledger."""
    return since_fault(case, lambda _job, starts, _: Value(max((start.depth for start in starts), default=0)))


@measure("ratio", TRAINING)
def checkpoint_validity(case: Case) -> Value:
    """Of the checkpoints that new attempts tried to load, the share that loaded with the digests they were saved with.

    One whose save was never finished does not count. Source: start rows of the training ledger.
    """

    def share(_job: TrainingJob, starts: tuple[Start, ...], _: int) -> Value:
        good = sum(start.detail.get("checkpoint") is not None for start in starts)
        tried = good + sum(": step-" in text and "no manifest: its save did not finish" not in text for s in starts for text in s.rejected)
        return Value(good / tried) if tried else Value(None, "no checkpoint was loaded")

    return since_fault(case, share)


@measure("stores", TRAINING)
def stores_silent(case: Case) -> Value:
    """How many stores did not answer when the last new attempt looked for a checkpoint; its sentence says from which one it went on.

    Source: start rows of the training ledger.
    """

    def silent(_job: TrainingJob, starts: tuple[Start, ...], _: int) -> Value:
        if not starts or not starts[-1].detail.get("checkpoint"):
            return Value(None, "no new attempt restored a checkpoint")
        last = starts[-1]
        return Value(sum(": step-" not in text for text in last.rejected), f"{last.detail['checkpoint']} from {last.detail.get('store')}")

    return since_fault(case, silent)
