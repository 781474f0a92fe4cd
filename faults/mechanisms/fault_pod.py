"""The fault pod: a small program of the suite on one node, for what the API cannot do (cut a network, freeze a kubelet).

It runs in the suite's own namespace, without a ServiceAccount's token, bound to its node by name (no scheduler, so a full or cordoned node
does not matter), with the capabilities that its program needs and no others. The program
(:mod:`faults.node_agent.main`) says when it is about to
act, acts, ends by itself, and ends early on SIGTERM. What it sets also ends below Kubernetes: by the kernel's own timeouts and by a
watchdog outside the pod's control groups, since a frozen kubelet enforces no deadline and a killed pod runs no trap.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson
import urllib3
from kubernetes.client.exceptions import ApiException

from history.errors import FaultFailed
from history.plan import ResolvedTarget
from kube.client import Platform, api_errors
from kube.objects import Pod, body
from kube.permissions import Permission
from kube.selection import pods_among
from safety import fault_steps
from safety.active_run import ActiveRun
from safety.undo_journal import Undo, UndoKind
from target.suite_image import PROJECT, PYTHON

PROGRAM = "faults.node_agent.main"
MANAGED = {"app.kubernetes.io/managed-by": "aftershock", "aftershock.dev/kind": "fault"}
RUN_LABEL = "aftershock.dev/run"
CAPABILITIES = ("NET_ADMIN", "SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE")  # nftables; other namespaces; other users' processes
FILES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")  # besides, to serve a pod's files in the names of whoever asks for them
START_S = 45.0  # for the kubelet to start it, an image to be pulled, and the program to be ready
GRACE_S = 5
POLL_S = 0.1
ACT_S = 10.0  # between "armed" and "did", where its log can still be read
LOG_LIMIT = (2.0, 2.0)  # a log behind a node that is silent must not hold anybody
ENDS = "the kernel and a watchdog on its node end it after {for_s:g} s, whoever is left"


@dataclass(frozen=True, slots=True)
class Job:
    """One fault pod: where, and the arguments of its program (its bounds are added)."""

    target: ResolvedTarget
    node: str
    arguments: tuple[str, ...]
    for_s: float
    heard: bool = True  # its log can be read after it has acted
    capabilities: tuple[str, ...] = CAPABILITIES


def permissions(platform: Platform) -> list[Permission]:
    """Return what making, hearing and removing a fault pod needs, in the suite's namespace alone."""
    namespace = platform.target.suite_namespace
    asked = [("create", "pods"), ("get", "pods"), ("list", "pods"), ("delete", "pods"), ("get", "pods/log")]
    return [Permission(verb, resource, namespace=namespace) for verb, resource in asked]


def name_of(run_id: str, target: ResolvedTarget) -> str:
    """Return the name of the fault pod of a run for one target."""
    return "aftershock-fault-" + hashlib.sha256(f"{run_id} {target.kind} {target.uid}".encode()).hexdigest()[:12]


def label_of(run_id: str) -> str:
    """Return a run's id as a label's value."""
    return run_id[:63].rstrip("-_.")


def beside(
    role: str,
    for_s: float,
    words: Callable[[Pod], tuple[str, ...]],
    count: int | None = None,
    capabilities: tuple[str, ...] = CAPABILITIES,
) -> dict[str, object]:
    """Start a fault pod beside every target of the activity being executed, whose program gets ``words`` of the target's pod.

    Raises:
        TargetRefused: no live run.
        FaultFailed: other than ``count`` targets were resolved; a fault pod was not admitted, did not start, or refused.

    """
    run, targets, objects = fault_steps.begin()
    if count not in {None, len(targets)}:
        raise FaultFailed(f"role {role}: {len(targets)} targets were resolved, {count} are to be hit; resolve again")
    jobs = [
        Job(target, pod.spec.node_name or "", words(pod), for_s, capabilities=capabilities)
        for target, pod in zip(targets, pods_among(objects), strict=True)
    ]
    accounts = carry_out(run, targets, jobs)
    return {"targets": [target.name for target in targets], "role": role, "for_s": for_s, "injector": accounts}


def carry_out(run: ActiveRun, targets: list[ResolvedTarget], jobs: Sequence[Job]) -> list[dict[str, object]]:
    """Write ahead, start all fault pods at once, stamp t_fault as they act; return their own accounts.

    Raises:
        FaultFailed: one was not admitted, not started, or refused; those that run end by themselves, and heal ends them before.

    """
    for job in jobs:
        run.journal.will_undo(entry(run, job))
    for job in jobs:
        create(run, job)
    names = [name_of(run.plan.run_id, job.target) for job in jobs]
    with ThreadPoolExecutor(len(jobs)) as pool:
        acts = list(pool.map(lambda name: armed(run.platform, name), names))
    time.sleep(max(0.0, min(acts) - time.monotonic()))
    run.fault_starts(targets)
    return [_account(run.platform, name) if job.heard else {"armed": True} for name, job in zip(names, jobs, strict=True)]


def entry(run: ActiveRun, job: Job) -> Undo:
    """Return the journal's entry of a fault pod: by its end at the latest, nothing of it is left."""
    name, namespace = name_of(run.plan.run_id, job.target), run.platform.target.suite_namespace
    lasts_s = START_S + job.for_s + ACT_S
    return fault_steps.entry(
        run, UndoKind.DELETE_POD, name, namespace=namespace, detail=job.node, lasts_s=lasts_s, self_ends=job.target.ends
    )


def create(run: ActiveRun, job: Job) -> None:
    """Make one fault pod. Raises FaultFailed: not admitted (quota, webhook, Pod Security, permission)."""
    namespace = run.platform.target.suite_namespace
    made = manifest(run.platform.target.suite_image, run.plan.run_id, run.activity, job, time.time() + START_S)
    with api_errors(f"make a fault pod on node {job.node} in namespace {namespace}", FaultFailed):
        run.platform.core.create_namespaced_pod(namespace, body(Pod, made))


def manifest(image: str, run_id: str, activity: str, job: Job, not_after: float) -> dict[str, object]:
    """Return the pod's manifest. ``not_after`` (Unix time, s): started later, it does nothing."""
    bounds = ("--for", f"{job.for_s:g}", "--not-after", f"{not_after:.3f}")
    labels = MANAGED | {RUN_LABEL: label_of(run_id)}
    about = {"aftershock.dev/activity": activity, "aftershock.dev/target": f"{job.target.kind} {job.target.name}"}
    return {
        "metadata": {"name": name_of(run_id, job.target), "labels": labels, "annotations": about},
        "spec": {
            "nodeName": job.node,
            "hostPID": True,
            "hostNetwork": True,
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": GRACE_S,
            "activeDeadlineSeconds": int(START_S + job.for_s + ACT_S),
            "tolerations": [{"operator": "Exists"}],
            "containers": [container(image, (*job.arguments, *bounds), job.capabilities)],
        },
    }


def container(image: str, arguments: tuple[str, ...], capabilities: tuple[str, ...] = CAPABILITIES) -> dict[str, object]:
    """Return the container: root of its node's processes and network, with few capabilities."""
    return {
        "name": "fault",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "workingDir": PROJECT,
        "command": [PYTHON, "-m", PROGRAM, *arguments],
        "env": [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": list(capabilities)},
            "seccompProfile": {"type": "Unconfined"},  # it enters other namespaces,
            "appArmorProfile": {"type": "Unconfined"},  # and mounts there
        },
    }


def armed(platform: Platform, name: str) -> float:
    """Wait until the program says that it is about to act; return when it will (of :func:`time.monotonic`).

    Raises:
        FaultFailed: it refused, or did not start within 45 s; the sentence says what Kubernetes says.

    """
    until_s = time.monotonic() + START_S
    while True:
        before_s = time.monotonic()  # it had not spoken yet when we last asked: what is heard now was said after that
        for line in _lines(platform, name):
            if "armed" in line:
                return before_s + float(line["acts_in_s"])
            if "refused" in line:
                raise FaultFailed(f"fault pod {name}: it refused: {line['refused']}; nothing was set")
        _still_starting(platform, name, late=time.monotonic() > until_s)
        time.sleep(POLL_S)


def _still_starting(platform: Platform, name: str, *, late: bool) -> None:
    """Raise FaultFailed if the pod has ended, was evicted, or is late."""
    with api_errors(f"look at fault pod {name}", FaultFailed):
        pod = platform.pod(name, platform.target.suite_namespace)
    if pod.status.phase in {"Failed", "Succeeded"}:
        raise FaultFailed(f"fault pod {name} on {pod.spec.node_name}: it ended before it acted ({why(pod)}); nothing was set")
    if late:
        raise FaultFailed(
            f"fault pod {name} on {pod.spec.node_name}: not started within {START_S:g} s ({why(pod)}); nothing was set; "
            f"see kubectl -n {platform.target.suite_namespace} describe pod {name}"
        )


def why(pod: Pod) -> str:
    """Return what a V1Pod says of its state: reason and message of the pod or of its container."""
    said = [pod.status.phase, pod.status.reason, pod.status.message]
    for status in pod.status.container_statuses or []:
        state = status.state.terminated or status.state.waiting if status.state else None
        said += [state.reason, state.message] if state else []
    return ", ".join(str(one).strip() for one in said if one)


def _account(platform: Platform, name: str) -> dict[str, object]:
    """Return the program's word that it acted. Raises FaultFailed: it could not, or does not say so within 10 s."""
    until_s = time.monotonic() + ACT_S
    while time.monotonic() < until_s:
        for line in _lines(platform, name):
            if "failed" in line:
                raise FaultFailed(f"fault pod {name}: it could not act: {line['failed']}; it undid what it had set")
            if "did" in line:
                return line
        time.sleep(POLL_S)
    raise FaultFailed(f"fault pod {name}: it was about to act and has not said since that it did, within {ACT_S:g} s")


def _lines(platform: Platform, name: str) -> list[dict[str, Any]]:
    """Return the lines of its log; none while it has not started or its node does not answer."""
    try:
        text: str = platform.core.read_namespaced_pod_log(name, platform.target.suite_namespace, _request_timeout=LOG_LIMIT)
    except (ApiException, urllib3.exceptions.HTTPError):
        return []
    return [orjson.loads(line) for line in (text or "").splitlines() if line.startswith("{") and line.endswith("}")]
