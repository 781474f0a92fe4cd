"""The ways in which an ML platform fails: one table of ids and names. An experiment says which of them it is about by its tags.

``kinds`` are the kinds of workload that a mode can hurt; empty: of those that can drive a run, none. A mode that no experiment is about
stands here all the same, so that a report can show the gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from history.kinds import ASYNC, REQUESTS, TRAINING

_ALL = (REQUESTS, ASYNC, TRAINING)
_SERVED = (REQUESTS, ASYNC)


@dataclass(frozen=True, slots=True)
class FailureMode:
    """One way in which a platform fails."""

    id: str
    name: str
    kinds: tuple[str, ...]


_DECLARED = (
    FailureMode("I1", "A replica crashes", _SERVED),
    FailureMode("I2", "An engine hangs while its API answers", _SERVED),
    FailureMode("I3", "A replica is slow", _SERVED),
    FailureMode("I4", "Capacity is missing while a replica starts", _SERVED),
    FailureMode("I5", "Replicas leave on purpose: rollout, scale-down", (REQUESTS,)),
    FailureMode("I6", "A replica is Ready and cannot serve", (REQUESTS,)),
    FailureMode("I7", "A cache of prefixes is lost", (REQUESTS,)),
    FailureMode("I8", "Overload, and retries on top of it", _SERVED),
    FailureMode("I9", "A router is lost, or cut off from its replicas", (REQUESTS,)),
    FailureMode("I10", "The memory of requests under way is exhausted", _SERVED),
    FailureMode("I11", "A model is missing or damaged when it is loaded", _SERVED),
    FailureMode("T1", "A rank crashes", (TRAINING,)),
    FailureMode("T2", "A rank hangs", (TRAINING,)),
    FailureMode("T3", "Ranks are cut off from each other", (TRAINING,)),
    FailureMode("T4", "A rank is slow", (TRAINING,)),
    FailureMode("T5", "A node with a rank is lost", (TRAINING,)),
    FailureMode("T6", "The coordinator of the ranks is lost", (TRAINING,)),
    FailureMode("T7", "A rank is preempted with notice", (TRAINING,)),
    FailureMode("T8", "State is damaged and nobody is told", (TRAINING,)),
    FailureMode("T9", "A NaN, or a loss that jumps", (TRAINING,)),
    FailureMode("T10", "Samples are skipped or repeated after a restart", (TRAINING,)),
    FailureMode("C1", "Stored data rot, or are torn or stale", (TRAINING,)),
    FailureMode("C2", "A crash in the middle of a save", (TRAINING,)),
    FailureMode("C3", "A disk is full, fails, is read-only or slow", (TRAINING,)),
    FailureMode("C4", "An object store is down, slow, or answers wrongly", (TRAINING,)),
    FailureMode("C5", "A job goes on with another number of ranks", (TRAINING,)),
    FailureMode("G1", "A GPU is lost", _ALL),
    FailureMode("G2", "A GPU degrades: memory errors, heat, links", _ALL),
    FailureMode("G3", "The monitoring of GPUs is blind", _ALL),
    FailureMode("K1", "A node is lost", _ALL),
    FailureMode("K2", "A zone is lost", _ALL),
    FailureMode("K3", "A node is drained", _ALL),
    FailureMode("K4", "The API server, a controller or DNS is down or slow", _ALL),
    FailureMode("K5", "A volume is bound to a lost node or zone", _ALL),
    FailureMode("K6", "A new pod is refused, or finds no room", _ALL),
    FailureMode("D1", "A feature store fails over", (REQUESTS,)),
    FailureMode("D2", "A queue or its consumer is lost; a poison message", (ASYNC,)),
    FailureMode("D3", "A model registry or tracking server is down", (TRAINING, REQUESTS)),
    FailureMode("D4", "A pipeline's controller is lost", ()),
    FailureMode("X1", "Two failures at once, or one in the recovery of another", _ALL),
    FailureMode("X0", "Nothing fails: controls of the measurement itself", _ALL),
)
FAILURE_MODES = {mode.id: mode for mode in _DECLARED}
"""Every failure mode by its id, in the order in which people read them."""


def modes_of(tags: Iterable[str]) -> tuple[FailureMode, ...]:
    """Return the failure modes that the ``tags`` of an experiment name, in the order of the table."""
    named = set(tags)
    return tuple(mode for mode in _DECLARED if mode.id in named)
