"""Inference engines as their projects' own charts and manifests deploy them: labels, images, commands, ports and probes.

In own words, after: vLLM docs/deployment/k8s.md; production-stack helm/templates; llm-d-modelservice charts; SGLang
docker/k8s-sglang-service.yaml; the Text Generation Inference image; Triton deploy/k8s-onprem; llama.cpp's server image;
KubeRay's RayService; KServe's RawDeployment.
"""

from __future__ import annotations

from typing import Any

from testing.platform.strangers.manifests import Manifest, container, pod, service, thing, workload

GPU = {"limits": {"nvidia.com/gpu": "1"}}


def probe(path: str, port: int | str) -> dict[str, Any]:
    """Return an HTTP probe."""
    return {"httpGet": {"path": path, "port": port}}


def vllm(
    name: str = "vllm", namespace: str = "llm", labels: dict[str, str] | None = None, replicas: int = 3, **more: Any
) -> list[Manifest]:
    command = more.pop("command", "vllm serve meta-llama/Llama-3.1-8B-Instruct --port 8000")
    box = container("vllm", "vllm/vllm-openai:v0.9.1", command, {"": 8000}, readinessProbe=probe("/health", 8000), resources=GPU)
    return workload(name, namespace, labels or {"app": name}, box, replicas, **more)


def production_stack() -> list[Manifest]:
    engine_labels = {"model": "llama3", "helm-release-name": "stack", "environment": "test", "release": "test"}
    router_labels = {"environment": "router", "release": "router"}
    engine = container("vllm", "lmcache/vllm-openai:latest", "/opt/venv/bin/vllm serve meta-llama/Llama-3.1-8B-Instruct --port 8000",
                       {"container-port": 8000, "zmq-port": 55555}, startupProbe=probe("/health", 8000), resources=GPU)  # fmt: skip
    arguments = ["--port", "8000", "--service-discovery", "k8s"]
    router = container("router-container", "lmcache/lmstack-router:latest", "", {"router-cport": 8000, "lmcache-port": 9000},
                       args=arguments, livenessProbe=probe("/health", 8000))  # fmt: skip
    return [
        *workload("stack-llama3-deployment-vllm", "stack", engine_labels, engine),
        *workload("stack-deployment-router", "stack", router_labels, router),
        service("stack-engine-service", "stack", {"helm-release-name": "stack"}, 80, 8000),
        service("stack-router-service", "stack", router_labels, 80, 8000),
    ]


def llm_d() -> list[Manifest]:
    shared = {"llm-d.ai/inferenceServing": "true", "llm-d.ai/model": "qwen"}
    made: list[Manifest] = []
    for role in ("decode", "prefill"):
        box = container("vllm", "ghcr.io/llm-d/llm-d-cuda:v0.3.0", "", {"http": 8000}, args=["--model", "Qwen/Qwen3-0.6B"],
                        readinessProbe=probe("/health", 8000), resources=GPU)  # fmt: skip
        made += workload(f"ms-qwen-{role}", "llm-d", shared | {"llm-d.ai/role": role}, box)
    ports = {"grpc": 9002, "metrics": 9090}
    picker = container("epp", "ghcr.io/llm-d/llm-d-inference-scheduler:v0.3.2", "", ports, args=["--pool-name", "gaie"])
    pool = thing("InferencePool", "gaie", "llm-d", "inference.networking.k8s.io/v1",
                 spec={"selector": {"matchLabels": {"llm-d.ai/inferenceServing": "true"}}, "targetPorts": [{"number": 8000}]})  # fmt: skip
    listeners = [{"name": "default", "port": 80, "protocol": "HTTP"}]
    gateway = thing("Gateway", "inference", "llm-d", "gateway.networking.k8s.io/v1", spec={"listeners": listeners},
                    status={"addresses": [{"value": "203.0.113.7"}]})  # fmt: skip
    backend = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "gaie"}
    rules = [{"backendRefs": [backend], "matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]
    routed = {"parentRefs": [{"name": "inference"}], "rules": rules}
    route = thing("HTTPRoute", "qwen", "llm-d", "gateway.networking.k8s.io/v1", spec=routed)
    plane = container("istio-proxy", "istio/proxyv2:1.27", "", {"http": 80})
    made += workload("gaie-epp", "llm-d", {"app": "gaie-epp"}, picker, 1)
    made += workload("inference-istio", "llm-d", {"gateway.networking.k8s.io/gateway-name": "inference"}, plane)
    return [*made, pool, gateway, route]


def sglang() -> list[Manifest]:
    labels = {"app": "llama-sglang", "engine": "sglang"}
    box = container("sglang", "docker.io/lmsysorg/sglang:latest", "python3 -m sglang.launch_server", {"": 30000},
                    args=["--model-path", "meta-llama/Llama-3.1-8B-Instruct", "--port", "30000"],
                    livenessProbe=probe("/health", 30000), resources=GPU)  # fmt: skip
    given = {"loadBalancer": {"ingress": [{"hostname": "lb.example.org"}]}}
    balancer = service("llama-sglang", "llm", {"app": "llama-sglang"}, 30000, type="LoadBalancer", status=given)
    return [*workload("llama-sglang", "llm", labels, box), balancer]


def tgi() -> list[Manifest]:
    box = container("server", "ghcr.io/huggingface/text-generation-inference:3.3.4", "", {"http": 80}, resources=GPU,
                    args=["--model-id", "google/gemma-2-2b-it"], readinessProbe=probe("/health", "http"))  # fmt: skip
    return [*workload("tgi", "llm", {"app": "gemma"}, box), service("tgi", "llm", {"app": "gemma"}, 80, "http")]


def triton() -> list[Manifest]:
    ports = {"http": 8000, "grpc": 8001, "metrics": 8002}
    labels = {"app": "triton-inference-server", "release": "example"}
    box = container("triton-inference-server", "nvcr.io/nvidia/tritonserver:25.06-py3", "", ports, args=["tritonserver", "--model-store=s3://m"],
                    readinessProbe=probe("/v2/health/ready", "http"))  # fmt: skip
    numbers = {"grpc": 8001, "http": 8000}
    shown = [{"name": f"{name}-inference-server", "port": port, "targetPort": name} for name, port in numbers.items()]
    return [*workload("example-triton", "llm", labels, box), service("example-triton", "llm", labels, 1, ports=shown)]


def llama_cpp() -> list[Manifest]:
    arguments = ["-m", "/models/q4.gguf", "--metrics", "--port", "8080"]
    box = container("llama", "ghcr.io/ggml-org/llama.cpp:server", "", {"http": 8080}, args=arguments)
    return [*workload("tiny", "edge", {"app": "tiny"}, box, kind="StatefulSet"), service("tiny", "edge", {"app": "tiny"}, 8080)]


def ray_serve() -> list[Manifest]:
    shared = {"ray.io/cluster": "qa-x7", "ray.io/originated-from-crd": "RayService", "ray.io/is-ray-node": "yes"}
    owner = ("ray.io/v1", "RayCluster", "qa-x7")
    head = container("ray-head", "rayproject/ray:2.46.0", "", {"dashboard": 8265, "serve": 8000})
    worker = container("ray-worker", "rayproject/ray-llm:2.46.0", "", {"serve": 8000}, resources=GPU)
    pods = [pod("qa-head", "ray", shared | {"ray.io/node-type": "head", "ray.io/group": "headgroup"}, head, owner)]
    working = shared | {"ray.io/node-type": "worker", "ray.io/group": "gpu", "ray.io/serve": "true"}
    pods += [pod(f"qa-worker-{i}", "ray", working, worker, owner, i) for i in range(2)]
    return [*pods, service("qa-serve-svc", "ray", {"ray.io/serve": "true", "ray.io/cluster": "qa-x7"}, 8000)]


def kserve() -> list[Manifest]:
    labels = {"serving.kserve.io/inferenceservice": "gemma", "component": "predictor", "app": "isvc.gemma-predictor"}
    box = container("kserve-container", "kserve/huggingfaceserver:v0.15.0", "", {"": 8080}, args=["--model_name=gemma"], resources=GPU)
    isvc = thing(
        "InferenceService", "gemma", "models", "serving.kserve.io/v1beta1", spec={}, status={"url": "https://gemma.models.example.org"}
    )
    inside = service("gemma-predictor", "models", {"app": "isvc.gemma-predictor"}, 80, 8080)
    return [*workload("gemma-predictor", "models", labels, box), inside, isvc]
