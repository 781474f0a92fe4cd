"""The undo journal: one ConfigMap a run in the suite's namespace, written before the fault.

It names owner, start, end, and how to undo what was done, in a closed vocabulary (:class:`UndoKind`) that the suite, ``heal`` and the
reaper in the cluster carry out alike (:mod:`kube.undo`).
"""

from __future__ import annotations

from enum import StrEnum

from history.plan import Record


class UndoKind(StrEnum):
    """How a fault is undone. A new kind needs its case in :mod:`kube.undo`."""

    UNCORDON = "uncordon"  # object: node; only if it was not cordoned before
    POWER_ON = "power-on"  # object: node; by the machine driver
    REPAIR_GPU = "repair-gpu"  # object: node, detail: index; by the GPU driver
    DELETE_POD = "delete-pod"  # object: pod; a fault pod of the suite
    REPLACE_POD = "replace-pod"  # object: pod, detail: uid; it carries an ephemeral container that cannot be removed
    NOTHING = "nothing"  # the platform itself repairs it (a killed pod is replaced); recorded for the reader


class Undo(Record):
    """One entry of the journal."""

    kind: UndoKind
    activity: str
    object: str
    namespace: str | None = None
    detail: str = ""
    ends_by_ns: int  # after this the reaper carries it out
    self_ends: str = ""  # what ends the fault even if nobody carries this out
    done: bool = False
