"""Evidence that pods are gone, all that a fault was aimed at or some of them, and that another started while a fault lasted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from history.errors import NoData
from history.schema import EventKind
from kube.client import Platform, api_errors
from kube.containers import main_container, status_of
from kube.objects import Pod
from kube.selection import read_pod
from probes.events import first_ns
from probes.targets import targets_of
from safety import active_run

CUT = timedelta(seconds=1)  # Kubernetes cuts to whole seconds
OFF = timedelta(seconds=0.5)  # so well its clock's offset is known


def gone(activity: str) -> bool:
    """Tell whether every pod that ``activity`` was to kill is gone: no object with its uid is left. Raises NoData: no answer."""
    return all(_gone(activity))


def some_gone(activity: str, count: int = 1) -> bool:
    """Tell whether exactly ``count`` of the pods of ``activity`` are gone, whichever, and no others. Raises NoData: no answer."""
    return sum(_gone(activity)) == count


def started(activity: str, role: str) -> bool:
    """Tell whether a pod of ``role`` that was made after ``activity`` began has started its main container while that fault lasted.

    It has met what the fault does to a start; one that starts after the plan's longest fault has not. Container and pod say when, in whole
    seconds. Raises NoData: the fault has not begun, or the API server does not answer.
    """
    run = active_run.require()
    begun_s, lasts_s = first_ns(EventKind.FAULT_START, activity) / 1e9 + run.platform.clock_offset_s, run.plan.timers.fault_s
    begun = datetime.fromtimestamp(begun_s, UTC)
    until = begun + timedelta(seconds=lasts_s) if lasts_s else datetime.max.replace(tzinfo=UTC)
    with api_errors(f"look for new pods of role {role}", NoData):
        pods = run.platform.pods(role)
    new = [pod for pod in pods if pod.metadata.creation_timestamp >= begun - CUT - OFF]
    return any(begun - OFF <= start <= until - CUT for pod in new for start in _starts(run.platform, pod, role))


def _starts(platform: Platform, pod: Pod, role: str) -> list[datetime]:
    """Return when the main container of a pod started: this time, and the time before."""
    status = status_of(pod, main_container(pod, platform.target.role(role).container).name)
    states = [state for state in (status.state, status.last_state) if state] if status else []
    found = [one.started_at for state in states for one in (state.running, state.terminated) if one]
    return [start for start in found if start is not None]


def _gone(activity: str) -> list[bool]:
    run = active_run.require()
    with api_errors(f"look for the targets of {activity}", NoData):
        return [read_pod(run.platform, target) is None for target in targets_of(activity, "Pod")]
