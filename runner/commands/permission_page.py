"""``docs/permissions.md``: what each permission tier needs and which experiments it runs, from the faults' own specifications.

Namespaces are named by what they are (the platform's, the suite's), so that the page holds for every target.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from kube.client import Platform
from kube.permissions import Permission
from runner.commands.rbac import experiment_permissions, offline
from runner.experiment.experiment import Experiment
from runner.preflight.checks import Fault, asking, faults_of, permissions_of
from safety.fault_spec import Tier
from target.region import ChaosMesh
from target.target import Target

TIERS: tuple[Tier, ...] = ("namespace", "ephemeral", "node", "cluster")
MEANS: dict[Tier | None, str] = {
    None: "nothing is touched: the platform is watched",
    "namespace": "pods of consenting namespaces are deleted, or new ones refused; nothing runs with privileges, nothing outside those "
    "namespaces is touched",
    "ephemeral": "besides, an unprivileged container (Pod Security `restricted`) is added to a pod; a signalled pod is replaced afterwards",
    "node": "besides, nodes are cordoned and drained, or a fault pod with four to eight capabilities runs there, in the suite's namespace",
    "cluster": "a part of the control plane is stopped by commands of the target file, which need no right of the account (Leases are "
    "read); or a webhook's configuration is made, which belongs to the whole cluster and acts in one consenting namespace",
}
HEADER = """# Permissions

What the suite may do is decided by the rights that its account is given. It asks the API server for every verb of inject *and* undo before
it touches anything, and refuses with a sentence that names what is missing. No tier needs `cluster-admin`, secrets, or a wildcard.

This page is what `python -m runner catalogue` writes from the faults' own specifications; a test keeps it current. The
YAML for your target and the experiments that you choose: `python -m runner rbac --target FILE EXPERIMENT…`; that these rights are the least
is a test, too (each verb taken away, preflight refuses and names it; without `pods/proxy` it tries other ways to ask replicas for their
health, see [your cluster](your-cluster.md)). Rights cannot say *which* pods: `python -m runner policy --target
FILE` prints a ValidatingAdmissionPolicy that holds the suite's accounts to its own fault pods, reapers, ephemeral containers, cordons and
chaos objects. What an experiment needs where its region has Chaos Mesh (`chaos_mesh` in the target file) stands at the end: it needs no
fault pod there.
"""


def page(experiments: list[Experiment], target: Target, elsewhere: Mapping[str, Target]) -> str:
    """Return the page in Markdown, for experiments that fit the target, or that of ``elsewhere`` which stands there under their id."""
    platform = offline(target)
    on = {one.id: offline(elsewhere.get(one.id, target)) for one in experiments}
    faults = {one.id: faults_of(one, on[one.id]) for one in experiments}
    of_tier = {tier: [one for one in experiments if tier_of(faults[one.id]) == tier] for tier in (None, *TIERS)}
    lines = [HEADER, "| tier | in words | experiments |", "|---|---|---|"]
    lines += [f"| {tier or 'none'} | {MEANS[tier]} | {_names(found)} |" for tier, found in of_tier.items()]
    base = [*permissions_of([], platform), *asking(target)]
    lines += ["", "## Every run", "", *_table(base, target)]
    for tier in TIERS:
        lines += _sections(tier, of_tier[tier], on)
    by_mesh = [one for one in experiments if faults[one.id] and all(fault.spec.chaos_mesh for fault in faults[one.id])]
    meshed = {one.id: offline(_with_chaos_mesh(on[one.id].target)) for one in by_mesh}
    return "\n".join([*lines, *_sections("by Chaos Mesh", by_mesh, meshed)]) + "\n"


def _sections(how: str, experiments: Iterable[Experiment], on: Mapping[str, Platform]) -> list[str]:
    """Return a section for each group of experiments that need the same beside what every run on their target needs."""
    alike: dict[tuple[str, ...], list[Experiment]] = {}
    for experiment in experiments:
        here = on[experiment.id]
        usual = {*permissions_of([], here), *asking(here.target)}
        more = [one for one in experiment_permissions(experiment, here) if one not in usual]
        alike.setdefault(tuple(_table(more, here.target)), []).append(experiment)
    return [line for table, found in alike.items() for line in ("", f"## {how}: {_names(found)}, besides", "", *table)]


def _with_chaos_mesh(target: Target) -> Target:
    """Return ``target`` as if its regions had Chaos Mesh."""
    regions = {name: region.model_copy(update={"chaos_mesh": ChaosMesh()}) for name, region in target.regions.items()}
    return target.model_copy(update={"regions": regions})


def tier_of(faults: Iterable[Fault]) -> Tier | None:
    """Return the highest tier of an experiment's faults; None if it has none."""
    return max((fault.spec.tier for fault in faults), key=TIERS.index, default=None)


def _names(experiments: Iterable[Experiment]) -> str:
    return ", ".join(f"`{one.id}`" for one in experiments) or "–"


def in_words(needed: Iterable[Permission], target: Target) -> str:
    """Return permissions as a phrase: verbs, what, where."""
    return "; ".join(f"{', '.join(sorted(verbs))} {resource} in {where}" for (where, resource), verbs in _rows(needed, target))


def _table(needed: Iterable[Permission], target: Target) -> list[str]:
    lines = [f"| {where} | {resource} | {', '.join(sorted(verbs))} |" for (where, resource), verbs in _rows(needed, target)]
    return ["| where | what | verbs |", "|---|---|---|", *lines]


def _rows(needed: Iterable[Permission], target: Target) -> list[tuple[tuple[str, str], set[str]]]:
    """Return where, what and verbs, sorted; what a right in the whole cluster covers is left out."""
    asked = list(needed)
    rows: dict[tuple[str, str], set[str]] = {}
    for permission in asked:
        if permission.namespace is None or replace(permission, namespace=None) not in asked:
            resource = f"{permission.resource}.{permission.group}" if permission.group else permission.resource
            rows.setdefault((_place(permission.namespace, target), resource), set()).add(permission.verb)
    return sorted(rows.items())


def _place(namespace: str | None, target: Target) -> str:
    if namespace is None:
        return "whole cluster"
    if namespace == target.suite.namespace:
        return "the suite's namespace"
    if namespace in {role.namespace for role in target.roles.values()}:
        return "each namespace of the platform"
    if namespace in {one.namespace for one in target.only_region().all_instruments}:
        return "each namespace of an instrument"
    return f"namespace {namespace}"
