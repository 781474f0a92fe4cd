"""Would the API server admit what a run makes? Asked in preflight by server-side dry runs: Pod Security, quotas, policies, webhooks."""

from __future__ import annotations

from typing import Any

from faults.mechanisms import fault_pod
from faults.mechanisms.process_signal import ephemeral_container
from faults.processes import engine_role
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube import ephemeral
from kube.client import Platform, api_errors, unless_gone
from kube.objects import Pod
from kube.permissions import Permission, allowed
from safety import data_damage
from safety.fault_spec import FaultSpec
from safety.undo_journal import UndoKind

METADATA_ALONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
ASKED = "(asked by a server-side dry run)"


def check_fault_pod(asked: list[Permission], platform: Platform) -> None:
    """Where the run may need a fault pod, ask whether one would be admitted to the suite's namespace.

    Raises:
        TargetRefused: something stands against it; nothing was made.

    """
    namespace = platform.target.suite.namespace
    if Permission("create", "pods", namespace=namespace) not in asked:
        return
    nobody = ResolvedTarget(kind="Node", name="preflight", uid="preflight", effect="none", ends="at once")
    job = fault_pod.FaultPod(nobody, "preflight", ("preflight",), 1.0)
    body: Any = fault_pod.manifest(platform.target.suite.fault_image, "preflight", "preflight", job, 0.0)
    with api_errors(f"fault pods in the suite's namespace {namespace} {ASKED}", TargetRefused):
        platform.core.create_namespaced_pod(namespace, body, dry_run="All")


def check_ephemeral_container(platform: Platform, spec: FaultSpec, role: str, targets: list[ResolvedTarget]) -> None:
    """Ask whether the ephemeral container of a fault would be admitted to the pods of ``role`` that it hits.

    Their namespace's Pod Security level counts, and counts for the whole pod: one that was made before the level was raised is turned away.

    Raises:
        TargetRefused: something stands against it; nothing was made.

    """
    for target in targets:
        name, namespace = target.name, target.namespace or ""
        with api_errors(f"an ephemeral container in pod {namespace}/{name} {ASKED}", TargetRefused):
            pod = platform.pod(name, namespace)
            ephemeral.add(platform, pod, _ephemeral_container(platform, spec, role, pod), dry_run=True)


def _ephemeral_container(platform: Platform, spec: FaultSpec, role: str, pod: Pod) -> dict[str, Any]:
    """Return what a fault would add to a pod. Raises ConfigError, TargetRefused: the target file does not say enough."""
    if UndoKind.RESTORE_DATA in spec.undo:
        client = platform.target.role(role).object_store
        program = data_damage.TRAINING_DATA if client and client.s3 else data_damage.CHECKPOINTS
        if why_not := secret_gone(platform, role):
            raise TargetRefused(why_not)
        return data_damage.container(platform.target, pod, role, program, ("preflight",))
    _, container, engine = engine_role(platform, role)
    return ephemeral_container(pod, container, platform.target.suite.fault_image, engine, 0.0)


def secret_gone(platform: Platform, role: str) -> str:
    """Return that the Secret which a role's object store names is not there, where this account may look; empty: it is, or nobody can tell.

    The suite needs no right to Secrets, and what is in this one is not asked for. Raises ApiException.
    """
    found, store = platform.target.role(role), platform.target.role(role).object_store
    if store is None or store.s3 is None or not allowed(platform, Permission("get", "secrets", namespace=found.namespace)):
        return ""
    name, of_it = store.s3.secret, {"Accept": METADATA_ALONE}
    if unless_gone(lambda: bool(platform.core.read_namespaced_secret(name, found.namespace, _headers=of_it))) is not None:
        return ""
    said = f"role {role}: the Secret {name} of its object store is not in namespace {found.namespace}"
    return f"{said}; correct object_store.s3.secret, or make it"
