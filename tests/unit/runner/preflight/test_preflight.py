"""Preflight, in the child's own process: what it refuses, in sentences; what a dry run shows; nothing is touched by either."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from kubernetes import client

from history.errors import NoData, TargetRefused
from history.plan import Plan
from history.workloads import Load
from kube.client import Platform
from kube.platform_timers import PlatformTimers
from runner.messages import Kind
from runner.run.child import run_request
from runner.run.preflight import run_preflight
from runner.stop import Stop
from safety.fault_spec import Effect, spec_of
from safety.undo_journal import Undo, UndoKind, open_journal
from target.requests import RequestsClass
from testing.platform.fake_cluster import pod
from testing.runs import runner_parts
from testing.runs.preflight import KILL, Make, refusal, unready
from testing.runs.runner_cluster import RunnerCluster, cordoned
from testing.runs.runner_parts import EXPERIMENT, Sent


def test_a_dry_run_shows_targets_effects_permissions_and_budgets_and_touches_nothing(
    platform: Platform, cluster: RunnerCluster, request_of: Make, sent: Sent
) -> None:
    assert run_request(request_of(), sent, Stop()) == 0
    [lines] = [fields["lines"] for kind, fields in sent.messages if kind == Kind.RESOLVED]
    text = "\n".join(lines)
    assert "kill: Pod ml-serving/inference-" in text
    assert "delete pods in ml-serving" in text
    assert "budgets: rto_s 30, rpo_requests 0, availability 0.97" in text
    assert not cluster.calls
    assert not cluster.leases
    assert not cluster.config_maps


def test_a_budget_below_the_floor_is_said_and_refuses_nothing(
    platform: Platform, request_of: Make, sent: Sent, experiment_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(runner_parts.kill)
    assert spec
    monkeypatch.setattr(runner_parts.kill, "__fault__", replace(spec, effect=Effect.POD_DELETED))
    slow = PlatformTimers(50, 20, start_s=2, load_s=12, first_check_s=90)
    monkeypatch.setattr("runner.drivers.requests.driver.read_timers", lambda *_: slow)
    text = experiment_file.read_text()
    assert "budgets: {rto: 30s" in text
    experiment_file.write_text(text.replace("budgets: {rto: 30s", "budgets: {capacity_rto: 60s, rto: 30s"))
    assert run_request(request_of(), sent, Stop()) == 0
    [note] = [str(fields["text"]) for kind, fields in sent.messages if kind == Kind.NOTE]
    assert "budget capacity_rto of 60 s (set by: experiment) cannot be met, it is below the floor" in note
    [lines] = [fields["lines"] for kind, fields in sent.messages if kind == Kind.RESOLVED]
    floor = "floor: full capacity not back before 90.0 s: a new replica alone takes 90 s (initialDelaySeconds of the pods)"
    assert floor in lines  # type: ignore[operator]


def test_how_the_platform_is_built_and_the_risks_that_it_shows_stand_in_the_plan(
    platform: Platform, cluster: RunnerCluster, request_of: Make, sent: Sent
) -> None:
    for name in ("inference-b", "inference-c"):
        cluster.pods["ml-serving", name].spec.node_name = "gpu-a"
    with ExitStack() as stack:
        plan = run_preflight(request_of(), sent, Stop(), stack).plan
    assert plan.layout is not None
    built = plan.layout.of("inference")
    assert built is not None
    assert (built.where, built.wanted, built.ready, built.nodes, built.zones) == ("Deployment inference", 3, 3, 1, ("zone-a",))
    assert plan.risks is not None
    [found] = [one for one in plan.risks if (one.role, one.name) == ("inference", "one-node")]
    assert "serving/node-silent" in found.proved_by
    assert "decoy" not in {one.role for one in plan.risks}
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_the_seed_decides_the_targets(platform: Platform, request_of: Make) -> None:
    def chosen(seed: int) -> str:
        sent = Sent()
        run_request(request_of(seed=seed), sent, Stop())
        return next(str(fields["lines"][0]) for kind, fields in sent.messages if kind == Kind.RESOLVED)

    assert chosen(7) == chosen(7)
    assert len({chosen(seed) for seed in range(8)}) > 1


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
    cordoned(cluster, "gpu-b", "old")


def silent_node(cluster: RunnerCluster) -> None:
    cluster.nodes["gpu-b"].status.conditions[0].status = "Unknown"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (unready, "role inference has 2 of 3 replicas ready"),
        (surplus, "something is being replaced"),
        (rollout, "a rollout of deployment inference is in flight (1 of 3 replicas updated)"),
        (stale, "pod inference-b of role inference is ready by the API server, but its :8000/health answers nothing within 2 s"),
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
    cluster: RunnerCluster, request_of: Make, sent: Sent, spoil: Callable[[RunnerCluster], None], said: str
) -> None:
    spoil(cluster)
    assert said in refusal(request_of(), sent)
    assert not any(call.startswith(("delete", "evict", "patch")) for call in cluster.calls)


@pytest.mark.usefixtures("platform")
def test_a_selector_that_matches_nothing_is_refused(cluster: RunnerCluster, request_of: Make, experiment_file: Path, sent: Sent) -> None:
    cluster.replicas["decoy"] = 0
    cluster.pods = {key: one for key, one in cluster.pods.items() if one.metadata.labels["app"] != "decoy"}
    experiment_file.write_text(EXPERIMENT.replace(KILL, "module: faults.pods, func: kill, arguments: {role: decoy}"))
    assert "selector app=decoy in namespace ml-serving matches 0 pods" in refusal(request_of(), sent)


@pytest.mark.usefixtures("platform")
def test_a_single_replica_is_refused_as_a_risk_that_the_report_will_name(cluster: RunnerCluster, request_of: Make, sent: Sent) -> None:
    cluster.replicas["inference"] = 1
    for name in ("inference-b", "inference-c"):
        del cluster.pods["ml-serving", name]
    assert "role inference is a single point of failure (its only ready replica is inference-a)" in refusal(request_of(), sent)
    [risks] = [fields["risks"] for kind, fields in sent.messages if kind == Kind.REFUSED]
    assert [str(one).partition(":")[0] for one in risks] == [  # type: ignore[attr-defined]
        "role inference is a single point of failure (its only ready replica is inference-a)"
    ]


def test_prometheus_that_is_down_is_refused(platform: Platform, request_of: Make, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> float:
        raise NoData("Prometheus at http://127.0.0.1:19090 does not answer")

    monkeypatch.setattr("runner.preflight.instruments.query", down)
    assert "it is an instrument of the run" in refusal(request_of(), sent)


def test_what_the_endpoint_does_not_answer_is_refused_all_at_once(
    platform: Platform, request_of: Make, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Load] = []

    def tried(load: Load) -> list[str]:
        asked.append(load)
        return ["endpoint inference: HTTP 404: Not Found", "endpoint inference: HTTP 401: who are you?"]

    monkeypatch.setattr("runner.drivers.requests.trial.refusals", tried)
    said = refusal(request_of(dry_run=True), sent)
    assert "HTTP 404: Not Found; endpoint inference: HTTP 401: who are you?; nothing was injected" in said
    assert [one.url for one in asked] == ["http://127.0.0.1:18080"]


def test_what_the_load_needs_and_is_not_here_is_refused_before_anybody_is_asked(
    platform: Platform, request_of: Make, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = platform.target.workload("realtime-inference", RequestsClass)
    lacks = declared.load.model_copy(update={"api_key_env": "NOT_SET", "ca_file": "/nowhere.pem"})
    monkeypatch.setattr(
        "runner.drivers.requests.driver.RequestsDriver._load",
        lambda *_, **__: Load(**lacks.model_dump(), url="http://x", horizon_s=1, seed=0),
    )
    monkeypatch.setattr("runner.drivers.requests.trial.refusals", lambda _load: pytest.fail("asked"))
    said = refusal(request_of(), sent)
    assert "load.api_key_env: the environment variable NOT_SET is not set; load.ca_file: /nowhere.pem is not a file" in said


def test_a_proxy_of_the_environment_is_passed_by_and_said(
    platform: Platform, request_of: Make, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "elsewhere")
    assert run_request(request_of(), sent, Stop()) == 0
    said = "HTTP_PROXY names a proxy for endpoint inference (http://127.0.0.1:18080); the load sends directly, and so does preflight"
    assert said in sent.texts(Kind.NOTE)
    again = Sent()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert run_request(request_of(), again, Stop()) == 0
    assert said not in again.texts(Kind.NOTE)


def test_a_context_that_leads_elsewhere_is_refused(request_of: Make, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(_target: object) -> None:
        raise TargetRefused("context 'prod' leads to https://prod:6443, the target file allows https://10.89.0.1:6443 only")

    monkeypatch.setattr("runner.run.preflight.connect", elsewhere)
    assert "leads to https://prod:6443" in refusal(request_of(), sent)


@pytest.mark.parametrize("offset_s", [-6.0, 3600.0])
def test_clocks_that_are_too_far_apart_are_refused(
    platform: Platform, request_of: Make, sent: Sent, monkeypatch: pytest.MonkeyPatch, offset_s: float
) -> None:
    monkeypatch.setattr("runner.run.preflight.connect", lambda _target: replace(platform, clock_offset_s=offset_s))
    text = refusal(request_of(), sent)
    assert f"the clock of the API server is {offset_s:+.0f} s from this machine's, at most 5 s are allowed" in text
    monkeypatch.setattr("runner.run.preflight.connect", lambda _target: replace(platform, clock_offset_s=4.0))
    assert run_request(request_of(), sent, Stop()) == 0
