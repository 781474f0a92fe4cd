"""The fault pod: a small program of the suite on one node, for what the API cannot do (cut a network, freeze a kubelet).

It runs in the suite's own namespace, without a ServiceAccount's token, with the capabilities that its program needs and no others. It is
bound to its node by name: without a scheduler, a full or cordoned node does not matter.

The program (:mod:`faults.node_agent.main`) says when it is about to act, acts, ends by itself, and ends early on SIGTERM. What it sets also
ends below Kubernetes: by the kernel's own timeouts and by a watchdog outside the pod's control groups. For a frozen kubelet enforces no
deadline, and a killed pod runs no trap.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import urllib3
from kubernetes.client.exceptions import ApiException

from history.errors import FaultFailed
from history.plan import ResolvedTarget
from kube.client import Platform, api_errors
from kube.containers import objects_in, said_of
from kube.objects import Pod, body
from kube.permissions import Permission, in_namespace
from kube.selection import pods_among
from kube.wait import until
from safety import fault_steps
from safety.active_run import ActiveRun
from safety.fault_spec import fault, lasts_for_s
from safety.undo_journal import Undo, UndoKind
from target.suite_image import FAULT_PYTHON, PROJECT

PROGRAM = "faults.node_agent.main"
MANAGED = {"app.kubernetes.io/managed-by": "aftershock", "aftershock.dev/kind": "fault"}
RUN_LABEL = "aftershock.dev/run"
CAPABILITIES = ("NET_ADMIN", "SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE")  # nftables; other namespaces; other users' processes
FILES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")  # besides, to serve a pod's files in the names of whoever asks for them
START_S = 45.0  # for the kubelet to start it, an image to be pulled, and the program to be ready
GRACE_S = 5
SELINUX_TYPE = "spc_t"  # of container-selinux: a container that works on its node
POLL_S = 0.1
ACT_S = 10.0  # between "armed" and "did", where its log can still be read
LOG_LIMIT = (2.0, 2.0)  # a log behind a node that is silent must not hold anybody
ENDS = "the kernel and a watchdog on its node end it after {for_s:g} s, whoever is left"
by_fault_pod = partial(fault, tier="node", lasts_s=lasts_for_s, ends=ENDS, undo=(UndoKind.DELETE_POD,))
"""Registers a fault that a fault pod makes for ``for_s`` seconds."""


@dataclass(frozen=True, slots=True)
class FaultPod:
    """One fault pod: where, and the arguments of its program (its bounds are added)."""

    target: ResolvedTarget
    node: str
    arguments: tuple[str, ...]
    for_s: float
    heard: bool = True  # its log can be read after it has acted
    capabilities: tuple[str, ...] = CAPABILITIES


def permissions(platform: Platform) -> list[Permission]:
    """Return what making, hearing and removing a fault pod needs, in the suite's namespace alone."""
    asked = [("create", "pods"), ("get", "pods"), ("list", "pods"), ("delete", "pods"), ("get", "pods/log")]
    return in_namespace(platform.target.suite.namespace, *asked)


def name_of(run_id: str, target: ResolvedTarget) -> str:
    """Return the name of the fault pod of a run for one target."""
    return "aftershock-fault-" + hashlib.sha256(f"{run_id} {target.kind} {target.uid}".encode()).hexdigest()[:12]


def label_of(run_id: str) -> str:
    """Return a run's id as a label's value."""
    return run_id[:63].rstrip("-_.")


def inject_into_pods(
    role: str,
    for_s: float,
    words: Callable[[Pod], tuple[str, ...]],
    count: int | None = None,
    capabilities: tuple[str, ...] = CAPABILITIES,
) -> dict[str, object]:
    """Start a fault pod on the node of each target pod of the activity being executed; its program gets ``words`` of the pod.

    Raises:
        TargetRefused: no live run.
        FaultFailed: other than ``count`` targets were resolved; a fault pod was not admitted, did not start, or refused.

    """
    run, targets, objects = fault_steps.begin()
    fault_steps.demand_count(role, targets, count)
    planned = [
        FaultPod(target, pod.spec.node_name or "", words(pod), for_s, capabilities=capabilities)
        for target, pod in zip(targets, pods_among(objects), strict=True)
    ]
    accounts = inject(run, targets, planned)
    return {"targets": [target.name for target in targets], "role": role, "for_s": for_s, "injector": accounts}


def inject(run: ActiveRun, targets: list[ResolvedTarget], planned: Sequence[FaultPod]) -> list[dict[str, object]]:
    """Write ahead, start all fault pods at once, stamp t_fault as they act; return their own accounts.

    Raises:
        FaultFailed: one was not admitted, not started, or refused; those that run end by themselves, and heal ends them before.

    """
    for each in planned:
        run.journal.will_undo(entry(run, each))
    for each in planned:
        create(run, each)
    names = [name_of(run.plan.run_id, each.target) for each in planned]
    with ThreadPoolExecutor(len(planned)) as pool:
        acts = list(pool.map(lambda name: armed(run.platform, name), names))
    time.sleep(max(0.0, min(acts) - time.monotonic()))
    run.fault_starts(targets)
    return [_account(run.platform, name) if each.heard else {"armed": True} for name, each in zip(names, planned, strict=True)]


def entry(run: ActiveRun, planned: FaultPod) -> Undo:
    """Return the journal's entry of a fault pod: by its end at the latest, nothing of it is left."""
    name, namespace = name_of(run.plan.run_id, planned.target), run.platform.target.suite.namespace
    lasts_s = START_S + planned.for_s + ACT_S
    return fault_steps.entry(
        run, UndoKind.DELETE_POD, name, namespace=namespace, detail=planned.node, lasts_s=lasts_s, self_ends=planned.target.ends
    )


def create(run: ActiveRun, planned: FaultPod) -> None:
    """Make one fault pod. Raises FaultFailed: not admitted (quota, webhook, Pod Security, permission)."""
    namespace = run.platform.target.suite.namespace
    made = manifest(run.platform.target.suite.fault_image, run.plan.run_id, run.activity, planned, time.time() + START_S)
    with api_errors(f"make a fault pod on node {planned.node} in namespace {namespace}", FaultFailed):
        run.platform.core.create_namespaced_pod(namespace, body(Pod, made))


def manifest(
    image: str, run_id: str, activity: str, planned: FaultPod, not_after: float, *, start_s: float | None = None
) -> dict[str, object]:
    """Return the pod's manifest. ``not_after`` (Unix time, s): started later, it does nothing. ``start_s``: for its start (s)."""
    bounds = ("--for", f"{planned.for_s:g}", "--not-after", f"{not_after:.3f}")
    labels = MANAGED | {RUN_LABEL: label_of(run_id)}
    about = {"aftershock.dev/activity": activity, "aftershock.dev/target": f"{planned.target.kind} {planned.target.name}"}
    return {
        "metadata": {"name": name_of(run_id, planned.target), "labels": labels, "annotations": about},
        "spec": {
            "nodeName": planned.node,
            "hostPID": True,
            "hostNetwork": True,
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": GRACE_S,
            "activeDeadlineSeconds": int((START_S if start_s is None else start_s) + planned.for_s + ACT_S),
            "tolerations": [{"operator": "Exists"}],
            "containers": [container(image, (*planned.arguments, *bounds), planned.capabilities)],
        },
    }


def container(image: str, arguments: tuple[str, ...], capabilities: tuple[str, ...] = CAPABILITIES) -> dict[str, object]:
    """Return the container: root of its node's processes and network, with few capabilities."""
    return {
        "name": "fault",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "workingDir": PROJECT,
        "command": [FAULT_PYTHON, "-m", PROGRAM, *arguments],
        "env": [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": list(capabilities)},
            "seccompProfile": {"type": "Unconfined"},  # it enters other namespaces,
            "appArmorProfile": {"type": "Unconfined"},  # and mounts there;
            # a node that enforces SELinux lets no other type do either, one that does not ignores it
            "seLinuxOptions": {"type": SELINUX_TYPE},
        },
    }


def armed(platform: Platform, name: str) -> float:
    """Wait until the program says that it is about to act; return when it will (of :func:`time.monotonic`).

    Raises:
        FaultFailed: it refused, or did not start within 45 s; the sentence says what Kubernetes says.

    """

    def look() -> float:
        before_s = time.monotonic()  # it had not spoken yet when we last asked: what is heard now was said after that
        for line in lines(platform, name):
            if "armed" in line:
                return before_s + float(line["acts_in_s"])
            if "refused" in line:
                raise FaultFailed(f"fault pod {name}: it refused: {line['refused']}; nothing was set")
        _starting(platform, name)
        return 0.0

    acts_at_s = until(look, START_S, POLL_S)
    if not acts_at_s:
        pod = _starting(platform, name)
        raise FaultFailed(
            f"fault pod {name} on {pod.spec.node_name}: not started within {START_S:g} s ({said_of(pod)}); nothing was set; "
            f"see kubectl -n {platform.target.suite.namespace} describe pod {name}"
        )
    return acts_at_s


def _starting(platform: Platform, name: str) -> Pod:
    """Return a fault pod that has not acted yet. Raises FaultFailed: it has ended, or was evicted."""
    with api_errors(f"look at fault pod {name}", FaultFailed):
        pod = platform.pod(name, platform.target.suite.namespace)
    if pod.status.phase in {"Failed", "Succeeded"}:
        raise FaultFailed(f"fault pod {name} on {pod.spec.node_name}: it ended before it acted ({said_of(pod)}); nothing was set")
    return pod


def _account(platform: Platform, name: str) -> dict[str, object]:
    """Return the program's word that it acted. Raises FaultFailed: it could not, or does not say so within 10 s."""

    def look() -> dict[str, Any]:
        for line in lines(platform, name):
            if "failed" in line:
                raise FaultFailed(f"fault pod {name}: it could not act: {line['failed']}; it undid what it had set")
            if "did" in line:
                return line
        return {}

    account = until(look, ACT_S, POLL_S)
    if not account:
        raise FaultFailed(f"fault pod {name}: it was about to act and has not said since that it did, within {ACT_S:g} s")
    return account


def lines(platform: Platform, name: str) -> list[dict[str, Any]]:
    """Return the lines of its log; none while it has not started or its node does not answer."""
    try:
        text: str = platform.core.read_namespaced_pod_log(name, platform.target.suite.namespace, _request_timeout=LOG_LIMIT)
    except (ApiException, urllib3.exceptions.HTTPError):
        return []
    return objects_in(text)
