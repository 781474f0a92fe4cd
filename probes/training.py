"""What a training job shows of itself, from its ledger while it is being written, and evidence of what was done to it."""

from __future__ import annotations

import json
import math

import polars as pl

from history.clock import now_ns
from history.errors import NoData
from history.ledgers import done_steps
from history.schema import EventKind
from kube.client import api_errors, ready
from probes.events import first_ns, training_job, training_rows
from probes.processes import frozen, killed
from probes.targets import output
from safety import active_run

FAILPOINTS = 'find "$TRAIN_FAILPOINT_FOLDER" -type f'


def steps_per_s(window_s: float = 10.0) -> float:
    """Return how many steps a second all ranks of their attempt did in the latest ``window_s`` seconds, steps done again included.

    Raises:
        NoData: the ledger holds no step yet, or nobody follows it.

    """
    rows = training_rows()
    if rows.filter(pl.col("kind") == "step").is_empty():
        raise NoData("training: the ledger holds no step yet; is the job running, and its ledger?")
    recent = rows.filter((pl.col("kind") == "start") | (pl.col("t_ns") >= now_ns() - int(window_s * 1e9)))
    return done_steps(recent, training_job().ranks).height / window_s


def checkpoint_age_s() -> float:
    """Return the age of the newest checkpoint that a store holds verified (s): what a loss now would cost.

    Raises:
        NoData: no checkpoint was verified yet.

    """
    saved = training_rows().filter((pl.col("kind") == "checkpoint") & pl.col("detail").str.contains('"problem": ""', literal=True))
    if saved.is_empty():
        raise NoData("training: no checkpoint was verified yet; see the stores of the job")
    return (now_ns() - int(saved.select(pl.col("t_ns").max()).item())) / 1e9


def missing_ranks(role: str) -> int:
    """Return how many pods of the job are not ready (0: none). Raises NoData: the API server does not answer."""
    run = active_run.require()
    with api_errors(f"count the ready pods of role {role}", NoData):
        return max(0, training_job().pods - sum(ready(pod) for pod in run.platform.pods(role)))


def restarted(activity: str) -> bool:
    """Tell whether a new attempt began since ``activity``: the ranks of the old one are gone. Raises NoData."""
    return not _since(activity, "start").is_empty()


def poisoned(activity: str) -> bool:
    """Tell whether the loss of a step since ``activity`` was no finite number, whatever the job made of it. Raises NoData."""
    losses = (json.loads(text).get("loss") for text in _since(activity, "step")["detail"])
    return any(loss is not None and not math.isfinite(loss) for loss in losses)


def taken(activity: str, role: str) -> bool:
    """Tell whether a rank came to the point that ``activity`` named, and acted: it takes the file away just before it does.

    Raises:
        NoData: the fault has not begun, or the pod's failpoint folder cannot be looked at.

    """
    first_ns(EventKind.FAULT_START, activity)  # before it there is no file either
    return all(not output(target, role, ["sh", "-ec", FAILPOINTS]).strip() for target in active_run.require().targets_of(activity))


def save_failed(activity: str) -> bool:
    """Tell whether a store did not take a checkpoint since ``activity``. Raises NoData."""
    return any(store.get("problem") for text in _since(activity, "checkpoint")["detail"] for store in json.loads(text).get("stores", []))


def hung(activity: str) -> bool:
    """Tell whether the rank in every target of ``activity`` is stopped, or was ended since by whoever noticed. Raises NoData."""
    return frozen(activity) or killed(activity)


def left(activity: str) -> bool:
    """Tell whether an attempt ended since ``activity`` because a rank was told to leave. Raises NoData."""
    return not _since(activity, "end").filter(pl.col("detail").str.contains("SIGTERM", literal=True)).is_empty()


def _since(activity: str, kind: str) -> pl.DataFrame:
    """Return the ledger's rows of ``kind`` that were written after ``activity`` began."""
    return training_rows().filter((pl.col("kind") == kind) & (pl.col("t_ns") >= first_ns(EventKind.FAULT_START, activity)))
