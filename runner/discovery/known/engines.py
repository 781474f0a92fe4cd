"""Inference engines, and platforms that run one inside.

Read in these projects' own charts, manifests and sources:

- vLLM: docs/deployment/k8s.md (image vllm/vllm-openai, ``vllm serve``, port 8000, /health), docs/usage/metrics.md.
- production-stack: helm/templates/deployment-vllm-multi.yaml (labels ``model`` and ``helm-release-name``, container ``vllm``).
- llm-d: llm-d-modelservice, charts/…/templates/_helpers.tpl (labels ``llm-d.ai/inferenceServing``, later ``llm-d.ai/inference-serving``,
  ``llm-d.ai/role``); llm-d-inference-sim has vLLM's gauges.
- SGLang: docker/k8s-sglang-service.yaml (image lmsysorg/sglang, ``sglang.launch_server``, port 30000, /health); gauges need
  --enable-metrics.
- Text Generation Inference: Dockerfile (``text-generation-launcher``, port 80), docs/source/reference/metrics.md.
- Triton: deploy/k8s-onprem/templates/deployment.yaml (label ``app: triton-inference-server``, ports 8000 to 8002, /v2/health/ready);
  protocol/extension_generate.md.
- llama.cpp: tools/server/README.md (``llama-server``, port 8080, /health; gauges need --metrics).
- Ray Serve: kuberay, ray-operator/controllers/ray/utils/constant.go (labels ``ray.io/…``, port 8000, /-/healthz); Ray's metrics page.
- KServe: pkg/constants/constants.go (label ``serving.kserve.io/inferenceservice``, ``component``, container ``kserve-container``,
  port 8080); config/runtimes; its Hugging Face server answers OpenAI's API below /openai.
"""

from __future__ import annotations

from runner.discovery.known.catalogue import CATALOGUE
from runner.discovery.signs import Known, Signs

CATALOGUE.register(
    Known(
        "vLLM",
        "engine",
        Signs(
            labels=({"app.kubernetes.io/name": "vllm.*"}, {"app": "vllm.*"}, {"engine": "vllm"}),
            images=(r"(^|/)vllm(?!-(router|exporter|proxy))[^/]*$",),
            commands=(r"\bvllm serve\b", r"\bvllm\.entrypoints\.[a-z_.]*api_server\b"),
            metrics=("vllm:", "vllm_num_requests"),
            ports=(8000,),
            containers=("vllm",),
        ),
        adapter="vllm", port=8000, health="/health", api="completions",
    ),
    Known(
        "vLLM production-stack",
        "engine",
        Signs(labels=({"model": ".+", "helm-release-name": ".+"},), images=(r"(^|/)lmcache/vllm-openai",), containers=("vllm",)),
        adapter="vllm", port=8000, health="/health", api="completions",
    ),
    Known(
        "llm-d",
        "engine",
        Signs(
            labels=(
                {"llm-d.ai/inferenceServing": "true"},
                {"llm-d.ai/inference-serving": "true"},
                {"llm-d.ai/role": "prefill|decode|both|prefill-decode|encode"},
            ),
            images=(r"(^|/)llm-d/llm-d(-cuda|-xpu|-cpu|-rocm|-hpu|-aws|-gke)?(-dev)?(:|@|$)", r"(^|/)llm-d-inference-sim(:|@|$)"),
            ports=(8000, 8200),
        ),
        adapter="vllm", port=8000, health="/health", api="completions",
        remark="prefill and decode are two workloads: a role each; a fault of one is felt through the other",
    ),
    Known(
        "SGLang",
        "engine",
        Signs(
            labels=({"engine": "sglang"}, {"app.kubernetes.io/name": "sglang.*"}, {"app": "sglang.*"}),
            images=(r"(^|/)sglang(?!-(router|exporter))[^/]*$",),
            commands=(r"\bsglang\.launch_server\b", r"\bsglang serve\b"),
            metrics=("sglang:", "sglang_num_"),
            ports=(30000,),
        ),
        adapter="sglang", port=30000, health="/health", api="completions",
    ),
    Known(
        "Text Generation Inference",
        "engine",
        Signs(
            labels=({"app.kubernetes.io/name": "(tgi|text-generation-inference)"}, {"app": "(tgi|text-generation-inference)"}),
            images=(r"(^|/)text-generation-inference[^/]*(:|@|$)", r"(^|/)tgi[^/]*(:|@|$)"),
            commands=(r"\btext-generation-(launcher|router)\b",),
            metrics=("tgi_",),
            ports=(80, 3000),
        ),
        adapter="tgi", port=80, health="/health", api="chat",
    ),
    Known(
        "Triton Inference Server",
        "engine",
        Signs(
            labels=({"app": "triton-inference-server"}, {"app.kubernetes.io/name": "triton.*"}),
            images=(r"(^|/)tritonserver[^/]*(:|@|$)",),
            commands=(r"\btritonserver\b",),
            metrics=("nv_inference_",),
            ports=(8000, 8001, 8002),
        ),
        adapter="triton", port=8000, health="/v2/health/ready", api="triton",
    ),
    Known(
        "llama.cpp",
        "engine",
        Signs(
            labels=({"app.kubernetes.io/name": "llama[.-]?cpp.*"}, {"app": "llama[.-]?cpp.*"}),
            images=(r"(^|/)llama\.?-?cpp(-server)?(:|@|$)", r"(^|/)llama-server(:|@|$)"),
            commands=(r"\bllama-server\b", r"\bllama_cpp\.server\b"),
            metrics=("llamacpp:",),
            ports=(8080,),
        ),
        adapter="llama.cpp", port=8080, health="/health", api="completions",
    ),
    Known(
        "Ray Serve",
        "engine",
        Signs(
            labels=(
                {"ray.io/originated-from-crd": "RayService", "ray.io/node-type": "worker"},
                {"ray.io/serve": "true", "ray.io/node-type": "worker"},
                {"ray.io/cluster": ".+", "ray.io/node-type": "worker"},
            ),
            images=(r"(^|/)ray-llm(:|@|$)",),
            metrics=("ray_vllm", "ray_serve_"),
            ports=(8000,),
        ),
        port=8000, health="/-/healthz", api="completions",
        remark="a Ray cluster has one head: losing it stops deployments and, without GCS fault tolerance, the cluster",
    ),
    Known(
        "KServe",
        "engine",
        Signs(
            labels=({"serving.kserve.io/inferenceservice": ".+", "component": "predictor"},),
            images=(r"(^|/)mlserver(:|@|$)", r"(^|/)kserve/[^/]*server(:|@|$)"),
            containers=("kserve-container",),
            ports=(8080,),
        ),
        port=8080,
        remark="requests come through KServe's own route; which API they speak is its runtime's, such as /v2/models/NAME/infer",
    ),
    Known(
        "KServe Hugging Face server",
        "engine",
        Signs(images=(r"(^|/)huggingfaceserver[^/]*(:|@|$)",), commands=(r"huggingfaceserver\b",), ports=(8080,)),
        adapter="vllm", port=8080, api="completions", path="/openai",
        remark="its backend is vLLM where vLLM knows the model; otherwise it has none of vLLM's gauges: leave adapter out",
    ),
)  # fmt: skip
