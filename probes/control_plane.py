"""Evidence about the control plane: an API server that does not answer, controllers that are not at work."""

from __future__ import annotations

from history.errors import NoData
from kube import control_plane
from kube.client import api_errors
from probes.targets import targets_of
from safety import active_run


def api_silent(activity: str) -> bool:
    """Tell whether the API server that ``activity`` stopped does not answer ``/livez`` within 2 s; a refusal is an answer.

    Raises NoData: the activity stopped something else.
    """
    platform = active_run.require().platform
    _demand(activity, control_plane.API_SERVER)
    return not control_plane.api_answers(platform)


def controllers_silent(activity: str) -> bool:
    """Tell whether neither controller manager nor scheduler leads any more: their Leases were not renewed for as long as they hold.

    That is 15 s by default (30 s on the embedded cluster), so it is seen so long after they ended. Raises NoData: no answer from the API
    server, or the activity stopped something else.
    """
    platform = active_run.require().platform
    _demand(activity, control_plane.CONTROLLERS)
    with api_errors(f"read the Leases in {control_plane.NAMESPACE}", NoData):
        return all(control_plane.expired(platform, lease) for lease in control_plane.leader_leases(platform))


def _demand(activity: str, part: str) -> None:
    if part not in {target.name for target in targets_of(activity, "ControlPlane")}:
        raise NoData(f"{activity}: it does not stop the control plane's {part}; use the probe that fits its fault")
