"""The pods of a training job as Kubernetes lists them: a lost node's pod stays there beside the one that takes its place."""

from __future__ import annotations

from history.kinds import TRAINING
from history.schema import EventKind
from verdict.case import Case
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.words import seconds

LISTED = (EventKind.POD_CREATED, EventKind.POD_READY)


@measure("s", TRAINING)
def pods_doubled(case: Case) -> Value:
    """How long between the fault and healing two pods of one rank were listed while the newer one ran; of several, the longest.

    The pod of a lost node is listed (as Running, then Terminating) until the node is back or somebody deletes the pod by force. Whether the
    older one still wrote is told by two_writers. Source: pod.created, pod.ready, pod.started and pod.gone events.
    """
    if case.training is None or case.recovery is None:
        return NO_FAULT if case.training else Value(None, "the run followed no training job")
    doubled = [_beside(case, old, new) for old, new in _pairs(case, case.training.plan.job)]
    return max((value for value in doubled if value.value), key=lambda value: value.value or 0.0, default=Value(0.0))


def _pairs(case: Case, job: str) -> list[tuple[str, str]]:
    """Return (older, newer) pods of one rank: an Indexed Job calls them by job, rank and five characters of their own."""
    pods = dict.fromkeys(event.object for event in case.timeline.all(*LISTED) if event.object.startswith(f"{job}-"))
    return [(old, new) for at, old in enumerate(pods) for new in list(pods)[at + 1 :] if old.rsplit("-", 1)[0] == new.rsplit("-", 1)[0]]


def _beside(case: Case, old: str, new: str) -> Value:
    assert case.recovery is not None  # noqa: S101 - told by pods_doubled
    began = [event.t_ns for event in case.timeline.all(EventKind.POD_STARTED) if event.object == new]
    ended = [event.t_ns for event in case.timeline.all(EventKind.POD_GONE) if event.object == old]
    from_ns = max(case.recovery.fault_ns, min(began, default=case.recovery.watched_ns))
    to_ns = min([case.recovery.watched_ns, *ended])
    lasted_s = max(0.0, (to_ns - from_ns) / 1e9)
    return Value(lasted_s, f"{old} stayed listed for {seconds(lasted_s)} beside {new}, which had taken its place")
