"""Preflight asks the platform whether it has room for what is displaced, and admits what the run would add to its pods."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from kube.client import Platform
from runner.exits import REFUSED
from runner.messages import Kind
from runner.run.child import run_request
from runner.run.preflight import run_preflight
from runner.stop import Stop
from testing.platform.workload_kinds import budget
from testing.runs.preflight import KILL, Make, refusal
from testing.runs.runner_cluster import RunnerCluster
from testing.runs.runner_parts import EXPERIMENT, Sent

DRAIN = "module: faults.nodes, func: drain, arguments: {role: inference}"


def crowded(cluster: RunnerCluster) -> None:
    """Let every replica ask for one accelerator, of which each node has only that one."""
    for zone in "abc":
        cluster.nodes[f"gpu-{zone}"].status.allocatable = {"nvidia.com/gpu": "1", "pods": "10"}
        asked = client.V1ResourceRequirements(requests={"nvidia.com/gpu": "1"})
        cluster.pods["ml-serving", f"inference-{zone}"].spec.containers[0].resources = asked
        cluster.nodes[f"cpu-{zone}"].status.allocatable = {"pods": "10"}


def drained(file: Path, allow: str = "") -> None:
    file.write_text(EXPERIMENT.replace(KILL, DRAIN).replace("    evidence:", f"{allow}    evidence:"))


def test_a_drain_of_pods_for_which_there_is_no_room_is_refused(
    platform: Platform, cluster: RunnerCluster, request_of: Make, experiment_file: Path, sent: Sent
) -> None:
    crowded(cluster)
    drained(experiment_file)
    text = refusal(request_of(), sent)
    assert text.startswith("no capacity for what gpu-")
    assert "(nvidia.com/gpu 1) finds no room on cpu-a, cpu-b, cpu-c, gpu-" in text
    assert "allow: {without_capacity: true}" in text


def test_an_experiment_may_be_about_missing_capacity_and_the_sentence_is_shown(
    platform: Platform, cluster: RunnerCluster, request_of: Make, experiment_file: Path, sent: Sent
) -> None:
    crowded(cluster)
    drained(experiment_file, "    allow: {without_capacity: true}\n")
    assert run_request(request_of(), sent, Stop()) == 0
    assert any("finds no room on" in text for text in sent.texts(Kind.NOTE))


def test_a_node_that_is_back_before_kubernetes_gives_it_up_displaces_nothing(
    platform: Platform, cluster: RunnerCluster, request_of: Make, experiment_file: Path, sent: Sent
) -> None:
    crowded(cluster)
    for for_s, code in ((69, 0), (71, REFUSED)):  # 50 s until the node is not ready, 20 s until its pods may leave
        lost = f"module: faults.nodes, func: power_off, arguments: {{role: inference, for_s: {for_s}}}"
        experiment_file.write_text(EXPERIMENT.replace(KILL, lost))
        assert run_request(request_of(), sent, Stop()) == code


def test_replicas_that_may_run_nowhere_else_are_said_and_no_part_of_full_capacity(
    platform: Platform, cluster: RunnerCluster, request_of: Make, experiment_file: Path, sent: Sent
) -> None:
    for zone in "abc":
        cluster.pods["ml-serving", f"inference-{zone}"].spec.node_selector = {"kubernetes.io/hostname": f"gpu-{zone}"}
        cluster.nodes[f"gpu-{zone}"].metadata.labels["kubernetes.io/hostname"] = f"gpu-{zone}"
    drained(experiment_file)
    with ExitStack() as stack:
        plan = run_preflight(request_of(), sent, Stop(), stack).plan
    assert any("may run on no other node" in text for text in sent.texts(Kind.NOTE))
    assert (plan.replicas_desired["inference"], plan.replicas_back["inference"]) == (3, 2)


FREEZE = "module: faults.processes, func: freeze_engine, arguments: {role: inference, for_s: 5}"


def test_a_pod_that_would_not_admit_the_ephemeral_container_is_refused(
    platform: Platform, cluster: RunnerCluster, request_of: Make, experiment_file: Path, sent: Sent
) -> None:
    asked: list[str] = []

    def refuse(_name: str, _namespace: str, body: Any, dry_run: str) -> None:
        [container] = body["spec"]["ephemeralContainers"]
        asked.append(f"{container['targetContainerName']} {dry_run}")
        error = client.exceptions.ApiException(status=403)
        error.body = '{"message": "violates PodSecurity \\"restricted:latest\\": runAsNonRoot != true"}'
        raise error

    cluster.patch_namespaced_pod_ephemeralcontainers = refuse  # type: ignore[attr-defined]
    experiment_file.write_text(EXPERIMENT.replace(KILL, FREEZE))
    text = refusal(request_of(), sent)
    assert text.startswith("an ephemeral container in pod ml-serving/inference-")
    assert text.endswith("see the namespace's label pod-security.kubernetes.io/enforce")
    assert asked == ["server All"]


@pytest.mark.parametrize(("allow", "then"), [("", "as residue"), ("    allow: {bypass_pdb: true}\n", "it is deleted instead")])
def test_a_pod_that_could_not_be_evicted_afterwards_is_said_in_a_dry_run(
    platform: Platform, cluster: RunnerCluster, request_of: Make, experiment_file: Path, *, sent: Sent, allow: str, then: str
) -> None:
    budget(cluster)
    cluster.patch_namespaced_pod_ephemeralcontainers = lambda *_, **__: None  # type: ignore[attr-defined]
    experiment_file.write_text(EXPERIMENT.replace(KILL, FREEZE).replace("    evidence:", f"{allow}    evidence:"))
    assert run_request(request_of(), sent, Stop()) == 0
    [said] = [text for text in sent.texts(Kind.NOTE) if text.startswith("undo: ")]
    assert "could not be evicted now (Cannot evict pod as it would violate the pod's disruption budget.)" in said
    assert then in said
    [lines] = [fields["lines"] for kind, fields in sent.messages if kind == Kind.RESOLVED]
    assert "  list poddisruptionbudgets.policy in ml-serving" in lines  # type: ignore[operator]
    assert ("  delete pods in ml-serving" in lines) == bool(allow)  # type: ignore[operator]
    assert all(call.startswith("ask to evict inference-") for call in cluster.calls)
