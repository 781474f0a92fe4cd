"""Preflight, in the child's own process: what it refuses, in sentences; what a dry run shows; nothing is touched by either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client

from history.errors import NoData, TargetRefused
from kube.clients import Platform
from kube.journal import Undo, UndoKind, open_journal
from kube.leases import Leases
from runner.child import run
from runner.exits import REFUSED
from runner.messages import Kind
from runner.queueing import Queue, namespace_of
from runner.request import Request
from runner.stop import Interrupted, Stop
from runner.timers import PlatformTimers
from tests.support.fake_cluster import ROOT, pod
from tests.support.runner_cluster import REPLICAS, RunnerCluster, serve
from tests.support.runner_parts import EXPERIMENT, Told


@pytest.fixture
def cluster() -> RunnerCluster:
    return RunnerCluster()


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, cluster: RunnerCluster) -> Platform:
    made = serve(monkeypatch, cluster)
    monkeypatch.setattr("runner.prepare.connect", lambda _target: made)
    monkeypatch.setattr("runner.preflight.query", lambda *_: 1.0)
    monkeypatch.setattr("runner.preflight.requests.get", lambda *_, **__: None)
    monkeypatch.setattr("runner.drive.read_timers", lambda *_: PlatformTimers(50, 20, None, None, None, start_s=2, load_s=12))
    return made


@pytest.fixture
def request_of(experiment_file: Path, tmp_path: Path) -> Callable[..., Request]:
    def make(**changes: Any) -> Request:
        run_dir = tmp_path / "run"
        run_dir.mkdir(exist_ok=True)
        fields: dict[str, Any] = {
            "run_id": "20261121-120000-pod-killed-1-ab12", "run_dir": run_dir, "experiment": experiment_file,
            "experiments_root": experiment_file.parents[1], "target": ROOT / "targets/local.yaml", "seed": 7, "profile": "smoke",
            "dry_run": True,
        }  # fmt: skip
        return Request(**(fields | changes))

    return make


Make = Callable[..., Request]


def refusal(request: Request, told: Told) -> str:
    assert run(request, told, Stop()) == REFUSED
    [text] = told.texts(Kind.REFUSED)
    return text


def test_a_dry_run_shows_targets_effects_permissions_and_forecast_and_touches_nothing(
    platform: Platform, cluster: RunnerCluster, request_of: Make, told: Told
) -> None:
    assert run(request_of(), told, Stop()) == 0
    [lines] = [fields["lines"] for kind, fields in told.messages if kind == Kind.RESOLVED]
    text = "\n".join(lines)
    assert "kill: Pod ml-serving/inference-" in text
    assert "delete pods in ml-serving" in text
    assert "budgets: rto_s 30, rpo_requests 0, availability 0.97" in text
    assert not cluster.calls
    assert not cluster.leases
    assert not cluster.config_maps


def test_the_seed_decides_the_targets(platform: Platform, request_of: Make) -> None:
    def chosen(seed: int) -> str:
        told = Told()
        run(request_of(seed=seed), told, Stop())
        return next(str(fields["lines"][0]) for kind, fields in told.messages if kind == Kind.RESOLVED)

    assert chosen(7) == chosen(7)
    assert len({chosen(seed) for seed in range(8)}) > 1


def unready(cluster: RunnerCluster) -> None:
    cluster.pods["ml-serving", "inference-b"] = pod("inference-b", "gpu-b", ready=False)


def surplus(cluster: RunnerCluster) -> None:
    cluster.pods["ml-serving", "inference-d"] = pod("inference-d", "gpu-b")


def without_consent(cluster: RunnerCluster) -> None:
    cluster.namespaces["ml-serving"] = {}


def sick_instrument(cluster: RunnerCluster) -> None:
    cluster.pods["monitoring", "prometheus-0"] = pod("prometheus-0", "cpu-a", namespace="monitoring", app="prometheus", ready=False)


def nothing_matches(cluster: RunnerCluster) -> None:
    cluster.pods = {key: one for key, one in cluster.pods.items() if one.metadata.labels["app"] != "inference"}


def stale(cluster: RunnerCluster) -> None:
    probe = client.V1Probe(http_get=client.V1HTTPGetAction(path="/health", port="http"))
    container = cluster.pods["ml-serving", "inference-b"].spec.containers[0]
    container.readiness_probe, container.ports = probe, [client.V1ContainerPort(name="http", container_port=8000)]
    cluster.silent.add("inference-b:8000")


def rollout(cluster: RunnerCluster) -> None:
    cluster.updated["inference"] = 1


def denied(cluster: RunnerCluster) -> None:
    cluster.denied = {("delete", "pods"), ("create", "leases")}


def left_journal(cluster: RunnerCluster) -> None:
    left = Undo(kind=UndoKind.UNCORDON, activity="drain", object="gpu-b", detail="old", ends_by_ns=0)
    open_journal(cluster.platform(), "old", "me", "serving/node-drained").will_undo(left)


def left_cordon(cluster: RunnerCluster) -> None:
    cluster.nodes["gpu-b"].metadata.annotations = {"aftershock.dev/cordoned-by": "old"}


def silent_node(cluster: RunnerCluster) -> None:
    cluster.nodes["gpu-b"].status.conditions[0].status = "Unknown"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (unready, "role inference has 2 of 3 replicas ready"),
        (surplus, "something is being replaced"),
        (rollout, "a rollout of deployment inference is in flight (1 of 3 replicas updated)"),
        (stale, "pod inference-b of role inference is ready by the API server, but its /health answers nothing"),
        (silent_node, "node gpu-b hosts the platform and is not ready"),
        (nothing_matches, "role inference has 0 of 3 replicas ready"),
        (without_consent, "has not consented"),
        (sick_instrument, "instruments are not ready: prometheus-0"),
        (denied, "may not create leases.coordination.k8s.io in aftershock; delete pods in ml-serving"),
        (left_journal, "run old left uncordon gpu-b; nothing was injected; end them first: make heal"),
        (left_cordon, "node gpu-b is still cordoned by run old"),
    ],
)
@pytest.mark.usefixtures("platform")
def test_what_forbids_a_run_is_refused_in_a_sentence(
    cluster: RunnerCluster, request_of: Make, told: Told, spoil: Callable[[RunnerCluster], None], said: str
) -> None:
    spoil(cluster)
    assert said in refusal(request_of(), told)
    assert not any(call.startswith(("delete", "evict", "patch")) for call in cluster.calls)


KILL = "module: tests.support.runner_parts, func: kill, arguments: {role: inference}"


@pytest.mark.usefixtures("platform")
def test_a_selector_that_matches_nothing_is_refused(
    cluster: RunnerCluster, request_of: Make, experiment_file: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REPLICAS, "decoy", 0)
    cluster.pods = {key: one for key, one in cluster.pods.items() if one.metadata.labels["app"] != "decoy"}
    experiment_file.write_text(EXPERIMENT.replace(KILL, "module: faults.pods, func: kill, arguments: {role: decoy}"))
    assert "selector app=decoy in namespace ml-serving matches 0 pods" in refusal(request_of(), told)


def test_prometheus_that_is_down_is_refused(platform: Platform, request_of: Make, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> float:
        raise NoData("Prometheus at http://127.0.0.1:19090 does not answer")

    monkeypatch.setattr("runner.preflight.query", down)
    assert "it is an instrument of the run" in refusal(request_of(), told)


def test_a_load_endpoint_that_is_down_is_refused(platform: Platform, request_of: Make, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise requests.ConnectionError("refused")

    monkeypatch.setattr("runner.preflight.requests.get", down)
    assert "endpoint inference (http://127.0.0.1:18080) does not answer (ConnectionError)" in refusal(request_of(), told)


def test_a_context_that_leads_elsewhere_is_refused(request_of: Make, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(_target: object) -> None:
        raise TargetRefused("context 'prod' leads to https://prod:6443, the target file allows https://10.89.0.1:6443 only")

    monkeypatch.setattr("runner.prepare.connect", elsewhere)
    assert "leads to https://prod:6443" in refusal(request_of(), told)


@pytest.mark.parametrize("offset_s", [-6.0, 3600.0])
def test_clocks_that_are_too_far_apart_are_refused(
    platform: Platform, request_of: Make, told: Told, monkeypatch: pytest.MonkeyPatch, offset_s: float
) -> None:
    monkeypatch.setattr("runner.prepare.connect", lambda _target: replace(platform, clock_offset_s=offset_s))
    text = refusal(request_of(), told)
    assert f"the clock of the API server is {offset_s:+.0f} s from this machine's, at most 5 s are allowed" in text
    monkeypatch.setattr("runner.prepare.connect", lambda _target: replace(platform, clock_offset_s=4.0))
    assert run(request_of(), told, Stop()) == 0


# room for what will be displaced

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
    platform: Platform, cluster: RunnerCluster, request_of: Make, experiment_file: Path, told: Told
) -> None:
    crowded(cluster)
    drained(experiment_file)
    text = refusal(request_of(), told)
    assert text.startswith("no capacity for what gpu-")
    assert "(nvidia.com/gpu 1) finds no room on cpu-a, cpu-b, cpu-c, gpu-" in text
    assert "allow: {without_capacity: true}" in text


def test_an_experiment_may_be_about_missing_capacity_and_the_sentence_is_shown(
    platform: Platform, cluster: RunnerCluster, request_of: Make, experiment_file: Path, told: Told
) -> None:
    crowded(cluster)
    drained(experiment_file, "    allow: {without_capacity: true}\n")
    assert run(request_of(), told, Stop()) == 0
    assert any("finds no room on" in text for text in told.texts(Kind.NOTE))


def test_a_node_that_is_back_before_kubernetes_gives_it_up_displaces_nothing(
    platform: Platform, cluster: RunnerCluster, request_of: Make, experiment_file: Path, told: Told
) -> None:
    crowded(cluster)
    for for_s, code in ((69, 0), (71, REFUSED)):  # 50 s until the node is not ready, 20 s until its pods may leave
        lost = f"module: faults.nodes, func: power_off, arguments: {{role: inference, for_s: {for_s}}}"
        experiment_file.write_text(EXPERIMENT.replace(KILL, lost))
        assert run(request_of(), told, Stop()) == code


# what the run would add to the platform's pods

FREEZE = "module: faults.engine, func: freeze_engine, arguments: {role: inference, for_s: 5}"


def test_a_pod_that_would_not_admit_the_ephemeral_container_is_refused(
    platform: Platform, cluster: RunnerCluster, request_of: Make, experiment_file: Path, told: Told
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
    text = refusal(request_of(), told)
    assert text.startswith("an ephemeral container in pod ml-serving/inference-")
    assert text.endswith("see the namespace's label pod-security.kubernetes.io/enforce")
    assert asked == ["server All"]


# two runs at once


def another_run(cluster: RunnerCluster, platform: Platform) -> Leases:
    other = Leases(cluster, "aftershock", "other-run@host:1", platform.server_time)
    other.acquire(["aftershock-namespace-ml-serving"])
    return other


def test_a_second_run_on_the_same_namespace_is_refused(platform: Platform, cluster: RunnerCluster, request_of: Make, told: Told) -> None:
    another_run(cluster, platform)
    assert "held by the run other-run@host:1" in refusal(request_of(dry_run=False), told)
    assert list(cluster.leases) == ["aftershock-namespace-ml-serving"]


def test_a_refused_run_gives_its_leases_back(platform: Platform, cluster: RunnerCluster, request_of: Make, told: Told) -> None:
    unready(cluster)
    refusal(request_of(dry_run=False), told)
    assert not cluster.leases


def test_a_run_may_queue_behind_another(platform: Platform, cluster: RunnerCluster, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.queueing.POLL_S", 0.01)
    other = another_run(cluster, platform)

    class Patient(Stop):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            other.release()

    queue = Queue(platform, "mine", 30, Patient(), told)
    queue.take([namespace_of("ml-serving")])
    assert "held by the run other-run" in told.texts(Kind.NOTE)[0]
    queue.take([namespace_of("ml-serving")])
    queue.release()
    assert not cluster.leases


def test_a_stop_in_preflight_says_that_nothing_was_injected(platform: Platform, request_of: Make, told: Told) -> None:
    class Asked(Stop):
        def wait(self, _seconds: float) -> None:
            raise Interrupted("SIGTERM", "asked to end (SIGTERM)")

    stop = Asked()
    cluster: Any = platform.core
    another_run(cluster, platform)
    assert run(request_of(dry_run=False, wait_s=60), told, stop) == REFUSED
    assert told.texts(Kind.REFUSED) == ["stopped in preflight, nothing was injected: asked to end (SIGTERM)"]
