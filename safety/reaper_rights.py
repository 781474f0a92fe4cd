"""The least rights with which a reaper undoes what its run may do, and no more than the run's own account has."""

from __future__ import annotations

from collections.abc import Iterable

from kubernetes import client

from history.plan import Plan, ResolvedTarget
from kube.chaos_mesh.chaos import GROUP, NETWORK
from kube.client import Platform
from kube.objects import body
from kube.permissions import Permission
from safety import chaos
from safety.undo_journal import journal_name

CORDONS, CUTS = ("patch", "nodes"), ("delete", NETWORK.plural)  # rights by which a run does what a reaper must undo
RBAC = "rbac.authorization.k8s.io"
Rules = list[dict[str, object]]


def make_rights(platform: Platform, plan: Plan, meta: dict[str, object], permissions: Iterable[Permission]) -> None:
    """Make a reaper's ServiceAccount and its roles, all with the metadata ``meta``. Raises ApiException."""
    namespace, rbac = platform.target.suite.namespace, client.RbacAuthorizationV1Api(platform.api)
    subjects = [{"kind": "ServiceAccount", "name": meta["name"], "namespace": namespace}]

    def binding(kind: str) -> dict[str, object]:
        return {"metadata": meta, "subjects": subjects, "roleRef": {"apiGroup": RBAC, "kind": kind, "name": meta["name"]}}

    platform.core.create_namespaced_service_account(namespace, body(client.V1ServiceAccount, {"metadata": meta}))
    own = [*own_rules(plan.run_id), *chaos_rules(plan, permissions)]
    rbac.create_namespaced_role(namespace, body(client.V1Role, {"metadata": meta, "rules": own}))
    rbac.create_namespaced_role_binding(namespace, body(client.V1RoleBinding, binding("Role")))
    if rules := node_rules(plan.targets):
        rbac.create_cluster_role(body(client.V1ClusterRole, {"metadata": meta, "rules": rules}))
        rbac.create_cluster_role_binding(body(client.V1ClusterRoleBinding, binding("ClusterRole")))


def own_rules(run_id: str) -> Rules:
    """Return the rules in the suite's namespace that each has: this run's journal, and looking at leases."""
    return [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [journal_name(run_id)], "verbs": ["get", "update"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["list"]},
    ]


def chaos_rules(plan: Plan, permissions: Iterable[Permission]) -> Rules:
    """Return the rules on chaos objects in the suite's namespace: to end those of this run, by name and of the kinds that it may end."""
    kinds = sorted({one.resource for one in permissions if (one.group, one.verb) == (GROUP, "delete")})
    names = sorted(chaos.name_of(plan.run_id, target) for target in plan.targets if target.kind == "Pod")
    return [{"apiGroups": [GROUP], "resources": kinds, "resourceNames": names, "verbs": ["get", "delete"]}] if kinds and names else []


def node_rules(targets: tuple[ResolvedTarget, ...]) -> Rules:
    """Return the rules on nodes: exactly those that this run may cordon. None, where it may none: a rule without names would mean all."""
    names = sorted({target.node for target in targets if target.kind == "Node" and target.node})
    return [{"apiGroups": [""], "resources": ["nodes"], "resourceNames": names, "verbs": ["get", "patch"]}] if names else []
