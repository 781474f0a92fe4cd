"""Why an experiment is none for a target: what it needs is not there, so it is skipped by that sentence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product

from kube.client import platform_over
from kube.connection.bounded_client import BoundedClient
from kube.permissions import Permission
from runner.experiment.catalogue import faults_in
from runner.experiment.drains import drains
from runner.experiment.experiment import Experiment, lacks_of
from runner.experiment.needs import unanswerable, unmeasurable
from runner.experiment.variables import filled
from safety.undo_journal import UndoKind
from target.target import Target


def why_skipped(experiment: Experiment, target: Target) -> str:
    """Return why a session on ``target`` skips an experiment, with what would let it be tested there; empty: it does not."""
    return absent(experiment, target) or unanswerable(experiment, target) or unmeasurable(experiment, target)


def absent(experiment: Experiment, target: Target) -> str:
    """Return why an experiment is none for ``target``; empty if it is one.

    Its class of workload or a role is not there, nobody knows how to find the engine process that a fault acts on, the target says that a
    role cannot be drained, a fault needs a fault pod where faults are made by Chaos Mesh, one stops the control plane and the target has
    no driver for that, or the experiment has no leave for that, for an object of the whole cluster, or for an overload. A misspelt name is
    another matter: the file is wrong, and :func:`runner.experiment.experiment.check_target` says so.
    """
    lacks = list(lacks_of(experiment, target))
    if any(lack.misspelt for lack in lacks):
        return ""
    if lacks:
        return f"{lacks[0].sentence(target)}; to test this here, add it to the target file under {lacks[0].section}"
    why = (
        _without_engine, _not_drainable, _without_fault_pods, _without_control_plane, _without_leave_for_the_cluster,
        _without_leave_to_overload,
    )  # fmt: skip
    return next(chain.from_iterable(one(experiment, target) for one in why), "")


def _without_engine(experiment: Experiment, target: Target) -> Iterator[str]:
    """Yield a sentence for each fault on an engine process that the target does not know."""
    for action, spec in faults_in(experiment.document.method):
        name = action.provider.arguments.get("role")
        role = target.roles.get(name) if isinstance(name, str) else None
        if spec.on_engine and role is not None and not (role.container and role.worker):
            needs = f"{action.provider.func} needs its engine process, and target {target.name} does not say which that is"
            yield f"role {name}: {needs}; to test this here, write container, and process or the adapter of an engine that has one"


def _not_drainable(experiment: Experiment, target: Target) -> Iterator[str]:
    """Yield a sentence for each role that an experiment drains and that the target says cannot be."""
    for name in drains(experiment):
        role = target.roles.get(name)
        if role is not None and role.not_drainable:
            yield f"role {name} is not to be drained: {role.not_drainable} (not_drainable in the target file)"


def _without_fault_pods(experiment: Experiment, target: Target) -> Iterator[str]:
    """Yield a sentence for each fault that needs a fault pod in a region where Chaos Mesh makes faults in their place."""
    made = Permission("create", "pods", namespace=target.suite.namespace)
    for region in [name for name, one in target.regions.items() if one.chaos_mesh is not None]:
        unasked = platform_over(target, BoundedClient(), region=region)  # what a fault needs follows from the target file and its arguments
        for action, spec in faults_in(experiment.document.method):
            if made in spec.permissions(unasked, filled(action.provider.arguments, experiment, target)):
                needs = (
                    f"{action.provider.func} needs a fault pod; in region {region} faults are made by Chaos Mesh, which has nothing equal"
                )
                yield f"{needs}; to test this here, leave chaos_mesh out and let fault pods run"


def _without_control_plane(experiment: Experiment, target: Target) -> Iterator[str]:
    """Yield a sentence for each fault on the control plane that no driver of the target carries out, or that nobody gave leave for."""
    stopping = [action for action, spec in faults_in(experiment.document.method) if UndoKind.START_CONTROL_PLANE in spec.undo]
    for action, (name, region) in product(stopping, target.regions.items()):
        driver, what = region.control_plane, f"{action.provider.func} stops a part of the control plane of region {name}"
        if driver is None:
            yield f"{what}, and target {target.name} says by no command how; to test this here, add control_plane to the region"
        elif not driver.embedded and not experiment.settings.allow.cluster_wide:
            yield f"{what}, on which everybody there depends; {_say('cluster_wide')}"


def _without_leave_for_the_cluster(experiment: Experiment, target: Target) -> Iterator[str]:
    """Yield a sentence for each fault that makes an object of a whole cluster of others, where the experiment has no leave for that."""
    for fault, name in _on_others(experiment, target, UndoKind.DELETE_WEBHOOK, allowed=experiment.settings.allow.cluster_wide):
        yield f"{fault} makes an object of the whole cluster of region {name}; {_say('cluster_wide')}"


def _without_leave_to_overload(experiment: Experiment, target: Target) -> Iterator[str]:
    """Yield a sentence for each fault that offers more load to a cluster of others, where the experiment has no leave for that."""
    for fault, name in _on_others(experiment, target, UndoKind.END_LOAD, allowed=experiment.settings.allow.overload):
        yield f"{fault} gives region {name} much more than its load, and whoever shares it suffers, too; {_say('overload')}"


def _on_others(experiment: Experiment, target: Target, kind: UndoKind, *, allowed: bool) -> Iterator[tuple[str, str]]:
    """Yield each fault that is undone as ``kind`` says, with each region of others on which it is not ``allowed``."""
    faults = [action.provider.func for action, spec in faults_in(experiment.document.method) if kind in spec.undo]
    others = [] if allowed else [name for name, region in target.regions.items() if not region.embedded]
    yield from product(faults, others)


def _say(leave: str) -> str:
    """Return how an experiment is given leave."""
    return f"to test this here, copy the experiment to a folder of your own (--chaos-experiments) and say allow: {{{leave}: true}} in it"
