"""The control plane: its API server, or its controllers and its scheduler, are down. What runs goes on, if it needs none of them to serve.

The target's ``control_plane`` driver stops a part, and lets it start again by itself. On the embedded cluster that is the power controller:
it kills what is started anew until the time is over. On any other it is commands of the target file, and the experiment must say
``allow: {cluster_wide: true}``: everybody on the cluster depends on what is stopped.
"""

from __future__ import annotations

from random import Random

from history import schema
from history.errors import ConfigError, TargetRefused
from history.plan import ResolvedTarget
from kube import control_plane, machine_drivers
from kube.client import Platform, api_errors
from kube.control_plane import API_SERVER, CONTROLLERS
from kube.objects import Lease
from kube.permissions import Permission
from safety import active_run, fault_steps
from safety.fault_spec import Arguments, KillTrial, duration_s, fault, lasts_for_s
from safety.undo import undo_all
from safety.undo_journal import UndoKind

LONGEST_S = 3600.0  # as the embedded cluster's power controller; the suite sees nothing meanwhile
TIMED = "the control plane's driver lets it start again after {for_s:g} s by itself"
CAMPAIGN = "the control plane is no part of its small platforms, and it could not look meanwhile"


def _target(platform: Platform, part: str, what: str, arguments: Arguments) -> list[ResolvedTarget]:
    machine_drivers.control_plane(platform)
    for_s = _duration_s(f"stop_{part.replace('-', '_')}", arguments["for_s"])
    leases = _leases_at_work(platform)
    seen_s = max(map(control_plane.holds_s, leases)) if part == CONTROLLERS else 0.0
    effect, ends = f"{what} down for {for_s:g} s", TIMED.format(for_s=for_s)
    return [ResolvedTarget(kind=control_plane.KIND, name=part, effect=effect, ends=ends, seen_s=seen_s)]


def _duration_s(what: str, value: object) -> float:
    """Return how long a part is to be down (s). Raises ConfigError: it is no number above 0, or more than an hour."""
    for_s = duration_s(what, value)
    if for_s > LONGEST_S:
        raise ConfigError(f"{what}: for_s is {for_s:g}; a control plane may be stopped for {LONGEST_S:g} s at most; write for_s: 60")
    return for_s


def _leases_at_work(platform: Platform) -> list[Lease]:
    """Return the controllers' Leases. Raises TargetRefused: nobody could see them at work, before or after."""
    with api_errors("read the Leases of controller manager and scheduler, which prove that they are at work", TargetRefused):
        leases = control_plane.leader_leases(platform)
    idle = [lease.metadata.name for lease in leases if control_plane.expired(platform, lease)]
    if idle:
        raise TargetRefused(
            f"{', '.join(idle)}: its Lease in {control_plane.NAMESPACE} is not renewed, so it is not at work already, or elects no leader, "
            "and nobody could see it stop or come back; nothing was injected; mend it, or leave this experiment out"
        )
    return leases


def _resolve_api_server(platform: Platform, arguments: Arguments, _rng: Random) -> list[ResolvedTarget]:
    return _target(platform, API_SERVER, "the API server", arguments)


def _resolve_controllers(platform: Platform, arguments: Arguments, _rng: Random) -> list[ResolvedTarget]:
    return _target(platform, CONTROLLERS, "controller manager and scheduler", arguments)


def _permissions(_platform: Platform, _arguments: Arguments) -> list[Permission]:
    return control_plane.permissions()


def _stop(for_s: float) -> dict[str, object]:
    run = active_run.require()
    targets, ends = run.targets_of(), TIMED.format(for_s=for_s)
    now = run.platform.server_time().isoformat()
    for target in targets:
        about = {"detail": now, "self_ends": ends}
        run.journal.will_undo(fault_steps.entry(run, UndoKind.START_CONTROL_PLANE, target.name, lasts_s=for_s, **about))
    run.fault_starts(targets)
    for target in targets:
        machine_drivers.stop_control_plane(run.platform, target.name, for_s)
    return {"targets": [target.name for target in targets], "for_s": for_s}


@fault(
    resolve=_resolve_api_server,
    permissions=_permissions,
    tier="cluster",
    lasts_s=lasts_for_s,
    ends=TIMED,
    undo=(UndoKind.START_CONTROL_PLANE,),
    evidence=("probes.control_plane.api_silent",),
    takes_away=(schema.API_SERVER,),
    killed=KillTrial(left_out=CAMPAIGN),
)
def stop_api_server(for_s: float) -> dict[str, object]:
    """Stop the API server of the whole cluster for ``for_s`` seconds: nobody can ask, change or watch anything.

    What runs goes on: kubelets keep containers and their probes, nodes keep the routes of Services. Nothing is placed, moved or taken out
    of a Service meanwhile. Nodes cannot renew their leases. Controllers that elect a leader end themselves, and lead again when their Lease
    has expired, by default 15 s after the server is back. The suite sees nothing of the platform either; its own leases outlast that.
    Mechanism: the target's ``control_plane`` driver.

    Raises:
        ConfigError: ``for_s`` is above 3600 s (said in preflight).
        TargetRefused: no live run, or no driver.
        FaultFailed: the driver failed.

    """
    return _stop(for_s)


@fault(
    resolve=_resolve_controllers,
    permissions=_permissions,
    tier="cluster",
    lasts_s=lasts_for_s,
    ends=TIMED,
    undo=(UndoKind.START_CONTROL_PLANE,),
    evidence=("probes.control_plane.controllers_silent",),
    killed=KillTrial(left_out=CAMPAIGN),
)
def stop_controllers(for_s: float) -> dict[str, object]:
    """Stop controller manager and scheduler of the whole cluster for ``for_s`` seconds, while the API server answers.

    What is lost meanwhile is not replaced, a new pod gets no node, and no endpoint changes. Who was killed has its Lease for as long as
    that holds, 15 s by default: the effect is seen so much later, and they lead again so much after the end. Mechanism and evidence as in
    :func:`stop_api_server` (same errors).
    """
    return _stop(for_s)


def start() -> dict[str, object]:
    """Rollback: start again what this run stopped of the control plane. Nothing left to undo is success. Raises UndoFailed."""
    return {"undone": undo_all(active_run.require(), {UndoKind.START_CONTROL_PLANE})}
