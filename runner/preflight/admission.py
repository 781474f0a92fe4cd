"""Would the API server admit what a run makes? Asked in preflight by server-side dry runs: Pod Security, quotas, policies, webhooks."""

from __future__ import annotations

from typing import Any

from faults.mechanisms import fault_pod
from faults.mechanisms.process_signal import ephemeral_container
from faults.processes import engine_role
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform, api_errors
from kube.permissions import Permission

ASKED = "(asked by a server-side dry run)"


def check_fault_pod(asked: list[Permission], platform: Platform) -> None:
    """Where the run may need a fault pod, ask whether one would be admitted to the suite's namespace.

    Raises:
        TargetRefused: something stands against it; nothing was made.

    """
    namespace = platform.target.suite_namespace
    if Permission("create", "pods", namespace=namespace) not in asked:
        return
    nobody = ResolvedTarget(kind="Node", name="preflight", uid="preflight", effect="none", ends="at once")
    job = fault_pod.FaultPod(nobody, "preflight", ("preflight",), 1.0)
    body: Any = fault_pod.manifest(platform.target.fault_image, "preflight", "preflight", job, 0.0)
    with api_errors(f"fault pods in the suite's namespace {namespace} {ASKED}", TargetRefused):
        platform.core.create_namespaced_pod(namespace, body, dry_run="All")


def check_ephemeral_container(platform: Platform, role: str, targets: list[ResolvedTarget]) -> None:
    """Ask whether the suite's ephemeral container would be admitted to the pods of ``role`` whose engine it is to signal.

    Their namespace's Pod Security level counts, and counts for the whole pod: one that was made before the level was raised is turned away.

    Raises:
        TargetRefused: something stands against it; nothing was made.

    """
    _, container, engine = engine_role(platform, role)
    for target in targets:
        name, namespace = target.name, target.namespace or ""
        with api_errors(f"an ephemeral container in pod {namespace}/{name} {ASKED}", TargetRefused):
            pod = platform.pod(name, namespace)
            added = ephemeral_container(pod, container, platform.target.fault_image, engine, 0.0)
            body = {"spec": {"ephemeralContainers": [added]}}
            platform.core.patch_namespaced_pod_ephemeralcontainers(name, namespace, body, dry_run="All")
