"""Workloads of other kinds than a Deployment: how many replicas they should have, who changed that, and which pods are none of theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.field.cases import Seen, case
from history.errors import TargetRefused
from kube.client import Platform
from kube.selection import pod_target
from reports import Context, Risk, build
from reports.page.markdown import markdown
from runner.preflight.platform_health import Before, complaints, differences, look, resizings
from safety import blast_radius
from target.role import Controller, Role
from target.target import Limits
from testing.platform.fake_cluster import NOW, FakeCluster, local_target, pod
from testing.platform.forked import ENGINE, forked, stopped
from testing.platform.in_memory.asked_by_path import APPS
from testing.platform.workload_kinds import (
    JOB_SETS,
    LEADERS,
    ROLLOUTS,
    WIDGETS,
    autoscaler,
    canary,
    kind_of,
    leader_worker_set,
    owned,
    scale_of,
    scaled,
    stateful,
)
from testing.runs.runner_cluster import RunnerCluster

PART = "workloads"


def platform_of(cluster: FakeCluster, controller: Controller | None) -> Platform:
    """Return a platform whose inference has this controller in the target file; None: the file names none."""
    target = local_target()
    inference: Role = target.roles["inference"].model_copy(update={"controller": controller})
    return cluster.platform(local_target(roles=target.roles | {"inference": inference}))


def owned_by_a_stateful_set(given: str, controller: Controller | None) -> None:
    """Register a serving role of a StatefulSet: healthy with 3 of 3, unhealthy once it wants 4."""

    @case(PART, given, "works: 3 replicas wanted, nothing to complain of; one missing is seen")
    def run() -> Seen:
        cluster = RunnerCluster()
        stateful(cluster)
        platform = platform_of(cluster, controller)
        before = look(platform)
        well = complaints(platform, before)
        scaled(cluster, 4)
        ill = complaints(platform, before)
        said = f"{before.replicas['inference']} wanted, {well or 'healthy'}; then: {'; '.join(ill)}"
        return Seen(said, before.replicas["inference"] == 3 and not well and ill == ["role inference has 3 of 4 replicas ready"])


owned_by_a_stateful_set("a serving role owned by a StatefulSet that the target names", Controller(kind="StatefulSet", name="inference"))
owned_by_a_stateful_set("a serving role owned by a StatefulSet, no controller in the target", None)


def counted(given: str, path: str, by: str, want: int, spec: dict[str, Any] | None = None, *, cluster: FakeCluster | None = None) -> None:
    """Register pods of another kind of controller, found by their owner."""

    @case(PART, given, f"{want} replicas wanted")
    def run() -> Seen:
        there = cluster or FakeCluster()
        group, _, version = path.removeprefix("/apis/").partition("/namespaces")[0].rpartition("/")
        if spec is not None:
            there.served[path] = kind_of(path, spec=spec)
            for key in [key for key in there.pods if key[1].startswith("inference-")]:
                del there.pods[key]
            there.pods["ml-serving", "x"] = owned("x", by, "inference", version=f"{group}/{version}")
        found = look(platform_of(there, None)).replicas["inference"]
        return Seen(f"{found} wanted", found == want)


WIDGET_CLUSTER = FakeCluster()
WIDGET_CLUSTER.served["/apis/example.com/v1"] = scale_of("widgets", "Widget")
counted("an Argo Rollout of 5", f"{ROLLOUTS}/inference", "Rollout", 5, {"replicas": 5})
counted("a LeaderWorkerSet of 2 groups of 4", f"{LEADERS}/lws", "LeaderWorkerSet", 8, cluster=leader_worker_set(groups=2, size=4)[0])
JOBS = [{"replicas": 2, "template": {"spec": {"parallelism": 4}}}]
counted("a JobSet of 2 Jobs of 4", f"{JOB_SETS}/inference", "JobSet", 8, {"replicatedJobs": JOBS})
counted("a ReplicaSet of 2 that nobody owns", f"{APPS}/replicasets/inference", "ReplicaSet", 2, {"replicas": 2})
counted("a kind of which discovery lists the scale", f"{WIDGETS}/inference/scale", "Widget", 6, {"replicas": 6}, cluster=WIDGET_CLUSTER)


@case(PART, "an HPA scales 3 → 2 during a sham control, users all served", "PASS: as before is what is wanted now; who changed it is said")
def autoscaled() -> Seen:
    """Let an autoscaler take a replica away between the look before and the look after."""
    cluster = RunnerCluster()
    stateful(cluster)
    platform = platform_of(cluster, None)
    before = replace(look(platform), at=NOW)
    scaled(cluster, 2, "kube-controller-manager", "scale")
    said = "New size: 2; reason: All metrics below target"
    autoscaler(cluster, "inference", ("StatefulSet", "inference"), said, NOW + timedelta(seconds=30))
    del cluster.pods["ml-serving", "inference-2"]
    wrong, resized = differences(platform, before, [], []), resizings(platform, before)
    right = not wrong and len(resized) == 1 and "by kube-controller-manager through its scale" in resized[0] and said in resized[0]
    return Seen(f"differs: {wrong or 'nothing'}; {'; '.join(resized)}", right)


@case(PART, "a role with one replica", "a risk in the report: single point of failure, not tested, because …; how to allow it")
def single_replica() -> Seen:
    """Kill the only replica, and read the summary of a report on nothing but that refusal."""
    cluster = FakeCluster()
    for name in ("inference-b", "inference-c"):
        del cluster.pods["ml-serving", name]
    try:
        blast_radius.check(cluster.platform(), [pod_target(cluster.pods["ml-serving", "inference-a"], "", "")])
    except TargetRefused as refused:
        risks = tuple(Risk(sentence=said, experiments=("serving/replica-killed",)) for said in refused.risks)
        text = markdown(build([], Context(risks=risks))).partition("Risks:")[2].strip()
        parts = ("single point of failure", "not tested, because", "allow: {last")
        return Seen(text.partition("\n")[0], all(part in text.replace("\\", "") for part in parts))
    return Seen("it was not refused", right=False)


def named(given: str, right: str, change: Callable[[FakeCluster], None], *parts: str) -> None:
    """Register one pod more than replicas: the refusal must say what it is."""

    @case(PART, given, right)
    def run() -> Seen:
        cluster = RunnerCluster()
        change(cluster)
        platform = cluster.platform()
        before: Before = look(platform)
        said = "; ".join(complaints(platform, before))
        return Seen(said, all(part in said for part in parts))


def stuck(cluster: FakeCluster) -> None:
    """Let a pod be Terminating although its grace is long over."""
    old = cluster.pods["ml-serving", "inference-old"] = pod("inference-old")
    old.metadata.deletion_timestamp, old.metadata.finalizers = NOW, ["example.com/hold"]


def with_canary(cluster: FakeCluster) -> None:
    """Let a canary Deployment carry the label of the serving role."""
    cluster.pods["ml-serving", "canary"] = canary()


named(
    "a stuck Terminating pod",
    "named, with its finalizers and node",
    stuck,
    "inference-old is stuck Terminating",
    "example.com/hold",
    "gpu-a",
)
named("a canary Deployment under the same label", "named, with its Deployment", with_canary, "is of Deployment inference-canary, not of")


@case(
    PART,
    "engine and API are two processes with one command line (fork)",
    "role may say it otherwise: child of, listening on, title, newest",
)
def one_command_line() -> Seen:
    """Fork a process, and let what runs in the pod stop the one that the role means, in each way of saying it."""
    seen = []
    for which in ("child_of", "title", "listens", "pick"):
        with forked() as (name, api, engine, port):
            said = {"child_of": name, "title": ENGINE, "listens": port, "pick": "newest"}[which]
            seen.append(f"{which}: {stopped(name, api, engine, **{which: said})}")
    return Seen("; ".join(seen), all(text.endswith(": the engine, not the API") for text in seen))


@case(PART, "one pod of a LeaderWorkerSet that recreates its groups of 4, limits.pods 3", "refused: 4 pods; allowed with limits.pods 4")
def group_is_the_radius() -> Seen:
    """Ask the blast radius for one worker of a group, with either limit."""
    cluster, _ = leader_worker_set(groups=3, size=4)
    hit = [pod_target(cluster.pods["ml-serving", "lws-0-1"], "", "")]
    blast_radius.check(cluster.platform(local_target(limits=Limits(pods=4))), hit)
    try:
        blast_radius.check(cluster.platform(local_target(limits=Limits(pods=3))), hit)
    except TargetRefused as refused:
        return Seen(str(refused), "4 pods would be touched, limits.pods is 3" in str(refused))
    return Seen("it was not refused", right=False)
