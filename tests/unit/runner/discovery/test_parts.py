"""What stands before engines and beside them: gateways, stores, queues, training; and what of it only a person can decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.discovery.known.catalogue import catalogue
from target.engines import ENGINES
from testing.platform.strangers import engine_manifests as shipped
from testing.platform.strangers.discovered import Discovered, discovered
from testing.platform.strangers.manifests import Manifest, Manifests, container, namespace, service, thing, workload

KEPT = {
    "MinIO": ("storage", {"app": "minio", "release": "m"}, container("minio", "quay.io/minio/minio:latest", "", {"http": 9000})),
    "versitygw": ("storage", {"k": "v"}, container("s3", "acme/tools:1", "versitygw --port :7070 posix /data", {"s3": 7070})),
    "Ceph": ("storage", {"app": "rook-ceph-rgw"}, container("rgw", "quay.io/ceph/ceph:v19", "radosgw", {"": 8080})),
    "MLflow": ("tracking", {"k": "v"}, container("m", "burakince/mlflow:3.1", "mlflow server --host 0.0.0.0", {"http": 5000})),
    "Redis": ("features", {"app.kubernetes.io/name": "redis"}, container("redis", "bitnami/redis:8", "", {"redis": 6379})),
    "Sentinel": ("features", {"k": "v"}, container("sentinel", "bitnami/redis-sentinel:8", "", {"tcp-sentinel": 26379})),
    "Kafka": ("queue", {"strimzi.io/kind": "Kafka"}, container("kafka", "quay.io/strimzi/kafka:0.47.0-kafka-4.0.0", "", {"": 9092})),
    "RabbitMQ": ("queue", {"k": "v"}, container("rabbitmq", "rabbitmq:4-management", "", {"amqp": 5672})),
}


def drafted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *objects: Manifest, names: str = "llm data") -> Discovered:
    spaces = [namespace(name) for name in names.split()]
    return discovered(Manifests([*spaces, *objects]), tmp_path, monkeypatch)


def with_engine(*objects: Manifest) -> list[Manifest]:
    return [*shipped.vllm(), service("vllm", "llm", {"app": "vllm"}, 8000), *objects]


@pytest.mark.parametrize("name", KEPT)
def test_what_keeps_things_is_a_role(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    role, labels, box = KEPT[name]
    draft = drafted(tmp_path, monkeypatch, *with_engine(*workload("thing", "data", labels, box, kind="StatefulSet")))
    assert draft.roles[role]["controller"] == {"kind": "StatefulSet", "name": "thing"}
    assert draft.region["namespaces"] == ["llm"]  # what engines keep things in is not hit unless a person says so
    assert f"- data has {role}; it does not consent yet" in draft.comments
    assert draft.target.roles[role].namespace == "data"


def test_a_store_without_files_is_said_to_be_none_for_faults_on_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, labels, box = KEPT["MinIO"]
    draft = drafted(tmp_path, monkeypatch, *workload("minio", "data", labels, box))
    assert "keeps no object as a file of its own" in draft.above("storage:")


def test_whether_a_redis_keeps_features_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, labels, box = KEPT["Redis"]
    assert "QUESTION: does it keep features?" in drafted(tmp_path, monkeypatch, *workload("redis", "data", labels, box)).comments


@pytest.mark.parametrize(
    ("box", "labels"),
    [
        (container("haproxy", "acme/stand-in:1", "haproxy -f /etc/edge/haproxy.cfg", {"http": 8080}), {"tier": "edge"}),
        (container("litellm", "ghcr.io/berriai/litellm:main", "", {"http": 4000}), {"app": "litellm"}),
        (container("router", "acme/sgl:1", "python3 -m sglang_router.launch_router", {"http": 8080}), {"app": "router"}),
        (container("nginx", "nginxinc/nginx-unprivileged:1.29", "", {"http": 8080}), {"app": "front"}),
        (container("envoy", "envoyproxy/envoy:v1.35", "", {"http": 8080}), {"gateway.envoyproxy.io/owning-gateway-name": "eg"}),
    ],
)
def test_a_gateway_beside_the_engines_is_where_users_come_in(
    box: Manifest, labels: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = box["ports"][0]["containerPort"]
    given = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}
    front = [*workload("front", "llm", labels, box), service("front", "llm", labels, 80, port, type="LoadBalancer", status=given)]
    draft = drafted(tmp_path, monkeypatch, *with_engine(*front))
    assert draft.roles["gateway"]["controller"] == {"kind": "Deployment", "name": "front"}
    assert draft.region["endpoints"] == {"inference": "http://203.0.113.9"}
    assert "workers_as" not in draft.load


def test_a_gateway_of_many_platforms_is_only_suggested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = {"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "controller"}
    box = container("controller", "registry.k8s.io/ingress-nginx/controller:v1.13.0", "", {"http": 80})
    draft = drafted(tmp_path, monkeypatch, *with_engine(*workload("ingress-nginx-controller", "edge", labels, box)), names="llm edge")
    assert "gateway" not in draft.roles
    assert "These stand before many platforms" in draft.comments
    assert "ingress-nginx-controller in edge" in draft.comments


def test_what_no_service_leads_to_is_suggested_as_decoy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = drafted(tmp_path, monkeypatch, *with_engine(*workload("idle", "llm", {"app": "idle"}, container("c", "i"))))
    assert "decoy" not in draft.roles
    assert "decoy: {namespace: llm, selector: app=idle, controller: {kind: Deployment, name: idle}}" in draft.comments


def test_a_single_replica_is_said_to_be_a_single_point_of_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "single point of failure" in drafted(tmp_path, monkeypatch, *shipped.vllm(replicas=1)).above("inference:")


def cron_job(name: str, command: str, *, suspended: bool = True) -> Manifest:
    box = container("trainer", "acme/train:1", command)
    template = {"metadata": {"labels": {"app": "trainer"}}, "spec": {"containers": [box]}}
    job = {"spec": {"completions": 4, "template": template}}
    return thing("CronJob", name, "llm", "batch/v1", spec={"suspend": suspended, "schedule": "@yearly", "jobTemplate": job})


def test_a_suspended_cron_job_that_trains_is_offered_as_a_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [cron_job("nightly", "torchrun --nproc-per-node=8 main.py"), cron_job("report", "report.py")]
    objects.append(cron_job("train-eu", "x", suspended=False))
    draft = drafted(tmp_path, monkeypatch, *with_engine(*objects))
    assert "CronJob nightly in llm is suspended and looks like training: command torchrun" in draft.comments
    assert "job: {kind: CronJob, template: nightly, ledger: 'ledger:8100', storage: storage}" in draft.comments
    assert "QUESTION: who keeps its ledger?" in draft.comments
    assert "suspended, and not known as training: CronJob report in llm" in draft.comments
    assert "cannot be a template as it is: CronJob train-eu in llm: it is not suspended" in draft.comments
    assert list(draft.raw["workloads"]) == ["realtime-inference"]


def test_operators_and_what_they_run_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = {"spec": {"parallelism": 4, "template": {"spec": {"containers": [container("t", "i", "torchrun x")]}}}}
    replicated = [{"name": "workers", "replicas": 2, "template": ranks}]
    objects = [
        thing("PyTorchJob", "llama-sft", "llm", "kubeflow.org/v1", spec={}),
        thing("JobSet", "template", "llm", "jobset.x-k8s.io/v1alpha2", spec={"suspend": True, "replicatedJobs": replicated}),
        thing("LocalQueue", "gpus", "llm", "kueue.x-k8s.io/v1beta1", spec={}),
    ]
    said = drafted(tmp_path, monkeypatch, *with_engine(*objects)).comments
    assert "Kubeflow training operator is installed" in said
    assert "PyTorchJob llama-sft in llm" in said
    assert "Kueue is installed: a template must not carry its label" in said
    assert "JobSet template in llm is suspended and looks like training" in said
    assert "# 8 pods" in said


def test_every_engine_that_is_asked_for_is_known_and_every_adapter_is_one() -> None:
    known = catalogue().known
    assert len({one.name for one in known}) == len(known)
    assert {one.adapter for one in known} - {None} <= set(ENGINES)
    wanted = {"vLLM", "SGLang", "Text Generation Inference", "Triton Inference Server", "Ray Serve", "KServe", "llm-d", "llama.cpp"}
    assert wanted | {"vLLM production-stack"} <= {one.name for one in known}


def test_a_project_is_registered_once() -> None:
    found = catalogue()
    with pytest.raises(ValueError, match="vLLM is registered twice"):
        found.register(next(one for one in found.known if one.name == "vLLM"))


def test_a_key_that_a_server_wants_is_asked_for_by_name_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret: list[dict[str, Any]] = [{"name": "VLLM_API_KEY", "value": "sk-very-secret-value"}]
    box = container("vllm", "vllm/vllm-openai:v1", "vllm serve m", {"": 8000}, args=["--api-key", "sk-other-secret-value"], env=secret)
    draft = drafted(tmp_path, monkeypatch, *workload("vllm", "llm", {"app": "vllm"}, box), service("vllm", "llm", {"app": "vllm"}, 8000))
    assert "wants a key of its users (VLLM_API_KEY, --api-key). Which variable of yours holds it?" in draft.comments
    assert "secret-value" not in draft.text
