"""What must never be touched, and how much at once."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.objects import Pod
from kube.selection import node_target, pod_target
from safety import blast_radius
from target.allow import Allow
from target.target import Limits
from testing.platform.fake_cluster import FakeCluster, local_target, pod
from testing.platform.workload_kinds import leader_worker_set


def pods(cluster: FakeCluster, *names: str, namespace: str = "ml-serving") -> list[ResolvedTarget]:
    return [pod_target(cluster.pods[(namespace, name)], "", "") for name in names]


def nodes(cluster: FakeCluster, *names: str) -> list[ResolvedTarget]:
    return [node_target(cluster.nodes[name], "", "") for name in names]


def device(cluster: FakeCluster, node: str) -> list[ResolvedTarget]:
    return [ResolvedTarget(kind="Device", name="GPU-1", node=node, uid=cluster.nodes[node].metadata.uid)]


def add(cluster: FakeCluster, made: Pod) -> list[ResolvedTarget]:
    cluster.pods[(made.metadata.namespace, made.metadata.name)] = made
    return [pod_target(made, "", "")]


def plugin_volume() -> list[client.V1Volume]:
    return [client.V1Volume(name="plugins", host_path=client.V1HostPathVolumeSource(path="/var/lib/kubelet/device-plugins/"))]


def label(cluster: FakeCluster, node: str, name: str) -> list[ResolvedTarget]:
    cluster.nodes[node].metadata.labels[name] = ""
    return nodes(cluster, node)


def stranger_on(cluster: FakeCluster, node: str) -> list[ResolvedTarget]:
    cluster.namespaces["other-team"] = {}
    add(cluster, pod("theirs", node, namespace="other-team", app="theirs"))
    return nodes(cluster, node)


def withdrawn(cluster: FakeCluster) -> list[ResolvedTarget]:
    cluster.namespaces["ml-serving"] = {}
    return pods(cluster, "inference-a")


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (lambda _: [], "touches nothing proves nothing"),
    "kube-system": (lambda c: pods(c, "dns", namespace="kube-system"), "system namespaces are protected"),
    "another namespace": (lambda c: pods(c, "prometheus-0", namespace="monitoring"), "the target file allows ml-serving"),
    "the suite's own": (lambda c: add(c, pod("reaper", "cpu-b", namespace="aftershock")), "the suite's own namespace"),
    "no consent": (withdrawn, "kubectl label namespace ml-serving aftershock.dev/chaos=allowed"),
    "a device plugin": (lambda c: add(c, pod("plugin", app="plugin", owner="DaemonSet", volumes=plugin_volume())), "is a device plugin"),
    "a pod that is gone": (lambda _: [pod_target(pod("ghost"), "", "")], "is not there any more"),
    "an instrument's node": (lambda c: nodes(c, "cpu-a"), "hosts the instrument monitoring/prometheus-0"),
    "a control-plane node": (lambda c: label(c, "cpu-b", "node-role.kubernetes.io/control-plane"), "belongs to the control plane"),
    "a control-plane node's device": (
        lambda c: (label(c, "gpu-a", "node-role.kubernetes.io/control-plane"), device(c, "gpu-a"))[1],
        "belongs to the control plane",
    ),
    "a node of others": (lambda c: stranger_on(c, "gpu-a"), "namespace other-team, the target file allows ml-serving"),
    "too many nodes": (lambda c: nodes(c, "gpu-a", "gpu-b", "cpu-c"), "3 nodes would be touched, limits.nodes is 2"),
    "too many pods": (lambda c: pods(c, "inference-a", "gateway-a", "gateway-b", "decoy-1"), "4 pods would be touched, limits.pods is 3"),
    "the last ready replica": (
        lambda c: pods(c, "inference-a", "inference-b", "inference-c"),
        "would lose its last ready replica (inference-a, inference-b, inference-c)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    cluster = FakeCluster()
    make, expected = REFUSED[case]
    with pytest.raises(TargetRefused) as refused:
        blast_radius.check(cluster.platform(), make(cluster))
    assert expected in str(refused.value)


ALLOWED: dict[str, Any] = {
    "a pod": lambda c: pods(c, "inference-a"),
    "a node that hosts a DNS pod": lambda c: nodes(c, "gpu-b"),
    "a zone without instruments": lambda c: nodes(c, "cpu-b", "gpu-b"),
    "a device and its pod": lambda c: [*pods(c, "inference-a"), *device(c, "gpu-a")],
    "a node with a DaemonSet pod of others": lambda c: (
        add(c, pod("agent", "gpu-a", namespace="monitoring", app="agent", owner="DaemonSet")),
        nodes(c, "gpu-a"),
    )[1],
}


@pytest.mark.parametrize("case", ALLOWED)
def test_allowed(case: str) -> None:
    cluster = FakeCluster()
    blast_radius.check(cluster.platform(), ALLOWED[case](cluster))


def test_the_last_ready_replica_counts_ready_ones_only() -> None:
    cluster = FakeCluster()
    for name in ("inference-b", "inference-c"):
        cluster.pods[("ml-serving", name)].status.conditions[0].status = "False"
    with pytest.raises(TargetRefused, match="last ready replica"):
        blast_radius.check(cluster.platform(), nodes(cluster, "gpu-a"))
    blast_radius.check(cluster.platform(), nodes(cluster, "gpu-a"), Allow(last_replica=True))


def test_the_share_of_a_role_is_limited() -> None:
    cluster = FakeCluster()
    platform = cluster.platform(local_target(limits=Limits(share_of_role=0.5)))
    with pytest.raises(TargetRefused, match=r"would lose 2 of 3 ready replicas, limits.share_of_role is 50%"):
        blast_radius.check(platform, pods(cluster, "inference-a", "inference-b"))
    blast_radius.check(platform, pods(cluster, "inference-a", "inference-b"), Allow(share_of_role=True))


def test_all_objections_come_at_once() -> None:
    cluster = FakeCluster()
    with pytest.raises(TargetRefused) as refused:
        blast_radius.check(cluster.platform(), [*nodes(cluster, "cpu-a"), *pods(cluster, "dns", namespace="kube-system")])
    assert "prometheus-0" in str(refused.value)
    assert "system namespaces" in str(refused.value)


@pytest.mark.parametrize(
    ("hit", "lasts"),
    [
        (lambda c: pods(c, "inference-a"), "for about 30 s (start and load of a replica)"),
        (lambda c: nodes(c, "gpu-a"), "for about 80 s if the node is lost (noticed, 0 s tolerated, start and load)"),
    ],
)
def test_a_single_replica_is_a_risk_that_is_not_tested_and_says_what_would_allow_it(hit: Any, lasts: str) -> None:
    cluster = FakeCluster()
    for name in ("inference-b", "inference-c"):
        del cluster.pods["ml-serving", name]
    with pytest.raises(TargetRefused) as refused:
        blast_radius.check(cluster.platform(), hit(cluster))
    [risk] = refused.value.risks
    assert risk == (
        "role inference is a single point of failure (its only ready replica is inference-a): not tested, because role inference would "
        f"lose its last ready replica and nobody would serve meanwhile, {lasts}; allow it by allow: {{last_replica: true}} in the "
        "experiment, or run more replicas apart from each other"
    )
    assert risk in str(refused.value)
    blast_radius.check(cluster.platform(), hit(cluster), Allow(last_replica=True))


def test_replicas_on_one_node_are_a_risk_of_that_node_and_an_experiment_that_takes_all_is_none() -> None:
    cluster = FakeCluster()
    with pytest.raises(TargetRefused) as refused:
        blast_radius.check(cluster.platform(), pods(cluster, "inference-a", "inference-b", "inference-c"))
    assert refused.value.risks == ()
    for name in ("inference-b", "inference-c"):
        cluster.pods["ml-serving", name].spec.node_name = "gpu-a"
    with pytest.raises(TargetRefused) as refused:
        blast_radius.check(cluster.platform(), nodes(cluster, "gpu-a"))
    [risk] = refused.value.risks
    assert "its ready replicas inference-a, inference-b, inference-c all stand on node gpu-a" in risk


def test_replicas_in_one_zone_are_a_risk_of_that_zone_and_those_of_several_that_all_are_taken_are_none() -> None:
    cluster = FakeCluster()
    for name, where in (("inference-a", "gpu-a"), ("inference-b", "cpu-a"), ("inference-c", "gpu-a")):
        cluster.pods["ml-serving", name].spec.node_name = where
    toleration = client.V1Toleration(key="node.kubernetes.io/unreachable", effect="NoExecute")
    for one in cluster.pods.values():
        one.spec.tolerations = [toleration]
    with pytest.raises(TargetRefused) as refused:
        blast_radius.check(cluster.platform(), nodes(cluster, "gpu-a", "cpu-a"))
    [risk] = [one for one in refused.value.risks if "role inference" in one]
    assert "its ready replicas inference-a, inference-b, inference-c all stand in zone zone-a" in risk
    assert "for as long as the node is away, since its pods tolerate that for ever" in risk
    for zone in "abc":
        cluster.pods["ml-serving", f"inference-{zone}"].spec.node_name = f"gpu-{zone}"
    with pytest.raises(TargetRefused) as refused:
        blast_radius.check(cluster.platform(), nodes(cluster, "gpu-a", "gpu-b", "gpu-c"))
    assert [one for one in refused.value.risks if "role inference" in one] == []


@pytest.mark.parametrize(("restart", "refused"), [(None, True), ("RecreateGroupOnPodRestart", True), ("None", False)])
def test_where_groups_are_recreated_the_blast_radius_of_a_pod_is_its_group(restart: str | None, refused: bool) -> None:
    cluster, _ = leader_worker_set(groups=3, size=4, restart=restart)
    hit = pods(cluster, "lws-0-1")
    if not refused:
        blast_radius.check(cluster.platform(), hit)
        return
    with pytest.raises(TargetRefused, match=r"4 pods would be touched, limits.pods is 3, since a pod's whole group is made anew with it"):
        blast_radius.check(cluster.platform(), hit)
    blast_radius.check(cluster.platform(local_target(limits=Limits(pods=4))), hit)


def test_a_group_counts_in_the_share_of_a_role() -> None:
    cluster, _ = leader_worker_set(groups=3, size=2)
    platform = cluster.platform(local_target(limits=Limits(pods=6)))
    with pytest.raises(TargetRefused, match=r"would lose 6 of 6|would lose its last ready replica"):
        blast_radius.check(platform, pods(cluster, "lws-0", "lws-1", "lws-2"))
    with pytest.raises(TargetRefused, match=r"would lose 4 of 6 ready replicas, limits.share_of_role is 50%"):
        blast_radius.check(cluster.platform(local_target(limits=Limits(pods=6, share_of_role=0.5))), pods(cluster, "lws-0", "lws-1-1"))
