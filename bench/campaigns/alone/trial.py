"""One fault alone: seen by nobody before, proven by its own evidence, over when it should be, and nothing of it left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from kubernetes.client.exceptions import ApiException

from bench.campaigns.alone.platform import CHECKPOINT
from bench.campaigns.alone.trials import Trial, of_plan
from bench.common.tables import Row
from history.clock import now_ns
from history.errors import AftershockError, NoData
from history.ledgers import LedgerWriter
from history.schema import EventKind
from kube.client import Platform
from kube.wait import until
from probes.events import first_ns
from runner.experiment.catalogue import function_named
from safety.active_run import ActiveRun
from safety.undo import undo_all
from target.allow import Allow
from testing.runs.single_fault import ACTIVITY, single_fault
from testing.waiting import PATIENCE_S

CONFIRM_S, LATE_S, POLL_S = 45.0, 30.0, 0.5
ALL = Allow(last_replica=True, share_of_role=True, without_capacity=True)
AT_ONCE, BY_ITSELF, UNDONE = "at once", "by itself", "undone"


def tried(trial: Trial, platform: Platform, folder: Path, slower_by: float) -> Row:
    """Carry out one trial, and return its row; ``error`` says why it could not be carried out to its end."""
    row: Row = {
        "fault": trial.name,
        "evidence": trial.family.evidence,
        "confirm_limit_s": round(CONFIRM_S * slower_by, 1),
        "end_limit_s": round((trial.for_s if trial.ends_by_itself else 0.0) + LATE_S * slower_by, 1),
        "error": "",
    }
    function, patience_s = function_named(trial.name), PATIENCE_S * slower_by
    folder.mkdir(parents=True, exist_ok=True)
    _remember_checkpoint(folder)
    try:
        with single_fault(platform, function, folder, trial.arguments(), allow=ALL, patience_s=patience_s, **of_plan()) as run:
            row["targets"] = [f"{target.kind.lower()} {target.name}" for target in run.targets_of()]
            row["before"] = _seen(trial, trial.family.evidence)
            function(**trial.arguments())
            row |= _proven(trial, row["confirm_limit_s"]) | _over(trial, run, row["end_limit_s"])
    except (AftershockError, AssertionError, ApiException, OSError) as error:
        row["error"] = f"{type(error).__name__}: {error}"
    return row


def _remember_checkpoint(folder: Path) -> None:
    """Write the ledger of a job that finished the one checkpoint that the server has."""
    row = {"t_ns": now_ns(), "kind": "checkpoint", "attempt": 1, "rank": 0, "step": 1, "name": CHECKPOINT}
    book = LedgerWriter(folder, "training", "bench")
    book.write(json.dumps(row).encode())
    book.close()


def _proven(trial: Trial, limit_s: float) -> Row:
    """Wait for the evidence; return how long after the fault it came (s), None: not in time."""
    seen = until(lambda: _seen(trial, trial.family.evidence), limit_s, POLL_S)
    return {"proven_s": _since(_began_ns()) if seen else None}


def _over(trial: Trial, run: ActiveRun, limit_s: float) -> Row:
    """Wait until the fault is over, or undo it where nothing else ends it; return how it ended, and when.

    That is: how long (s) after it began where it ends by itself, else after its undo began.
    """
    if not trial.family.lasting:
        return {"ended": AT_ONCE, "ended_s": 0.0}
    how, since_ns = BY_ITSELF, _began_ns()
    if not trial.ends_by_itself:
        how, since_ns = UNDONE, now_ns()
        undo_all(run)
    left_s = max(0.0, limit_s - _since(since_ns))
    over = until(lambda: all(_denied(trial, probe) for probe in trial.family.lasting), left_s, POLL_S)
    return {"ended": how, "ended_s": _since(since_ns) if over else None}


def _began_ns() -> int:
    return first_ns(EventKind.FAULT_START, ACTIVITY)


def _since(t_ns: int) -> float:
    return round((now_ns() - t_ns) / 1e9, 1)


def _seen(trial: Trial, name: str) -> bool:
    """Ask evidence as a run does: no answer yet is no proof."""
    try:
        return bool(_probe(trial, name)())
    except NoData:
        return False


def _denied(trial: Trial, name: str) -> bool:
    """Tell whether a probe says no; no answer is not that."""
    try:
        return not _probe(trial, name)()
    except NoData:
        return False


def _probe(trial: Trial, name: str) -> Callable[[], object]:
    arguments = trial.family.arguments_of(name)
    return lambda: function_named(name)(**arguments)


def missed(row: Row) -> list[str]:
    """Return which bounds a trial missed, as sentences; none: it acted, was proven, ended, and left nothing."""
    if row["error"]:
        return [row["error"]]
    wrong = ["its evidence was true before it"] if row["before"] else []
    wrong += [f"not proven within {row['confirm_limit_s']:g} s"] if row["proven_s"] is None else []
    wrong += [f"not over within {row['end_limit_s']:g} s"] if row["ended_s"] is None else []
    return wrong + ([f"left: {', '.join(row['left'])}"] if row["left"] else [])
