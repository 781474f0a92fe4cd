"""``python -m runner rbac``: the least rights with which experiments run: inject, undo and observe, nothing more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import yaml

from kube.client import Platform, platform_over
from kube.connection.bounded_client import BoundedClient
from kube.permissions import Permission
from runner.drivers import choice
from runner.experiment.experiment import Experiment
from runner.preflight.checks import asking, faults_of, permissions_of
from runner.preflight.undo_allowed import bypassing
from target.target import Target

ACCOUNT = "aftershock"
GROUP = "rbac.authorization.k8s.io"
Manifest = dict[str, Any]


def offline(target: Target) -> Platform:
    """Return a platform that is asked nothing: what a fault needs follows from the target file and its arguments."""
    return platform_over(target, BoundedClient())


def least_permissions(experiments: Iterable[Experiment], target: Target) -> list[Permission]:
    """Return what ``experiments`` need on ``target``, each permission once, none that another permission covers."""
    platform = offline(target)
    needed = [permission for experiment in experiments for permission in experiment_permissions(experiment, platform)]
    everywhere = {permission for permission in needed if permission.namespace is None}
    return [right for right in dict.fromkeys(needed) if right in everywhere or replace(right, namespace=None) not in everywhere]


def experiment_permissions(experiment: Experiment, platform: Platform) -> list[Permission]:
    """Return what one experiment needs: for every run, to ask replicas for their health, for its faults and for what drives it."""
    faults = faults_of(experiment, platform)
    beside = [*choice.driver_permissions(platform.target, experiment), *bypassing(faults, platform, experiment.settings.allow)]
    return [*permissions_of(faults, platform), *asking(platform.target), *beside]


def manifests(needed: Iterable[Permission], namespace: str) -> list[Manifest]:
    """Return a ServiceAccount in ``namespace`` (the suite's) with a Role for each namespace and a ClusterRole for the rest."""
    scopes: dict[str | None, list[Permission]] = defaultdict(list)
    for permission in needed:
        scopes[permission.namespace].append(permission)
    made: list[Manifest] = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": namespace}}]
    for scope in sorted(scopes, key=lambda name: name or ""):
        made += _role(scope, rules(scopes[scope]), namespace)
    return made


def rules(needed: Iterable[Permission]) -> list[Manifest]:
    """Return rules with the verbs of each resource gathered; resources of one group with the same verbs share a rule."""
    verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
    for permission in needed:
        verbs[permission.group, permission.resource].add(permission.verb)
    gathered: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource), found in verbs.items():
        gathered[group, tuple(sorted(found))].append(resource)
    return [{"apiGroups": [group], "resources": sorted(names), "verbs": list(found)} for (group, found), names in sorted(gathered.items())]


def text(made: Iterable[Manifest]) -> str:
    """Return manifests as one YAML stream."""
    return yaml.safe_dump_all(made, sort_keys=False)


def _role(scope: str | None, found: list[Manifest], namespace: str) -> list[Manifest]:
    kind = "Role" if scope else "ClusterRole"
    meta: Manifest = {"name": ACCOUNT} | ({"namespace": scope} if scope else {})
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}
    reference = {"apiGroup": GROUP, "kind": kind, "name": ACCOUNT}
    return [
        {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": meta, "rules": found},
        {"apiVersion": f"{GROUP}/v1", "kind": f"{kind}Binding", "metadata": meta, "subjects": [subject], "roleRef": reference},
    ]
