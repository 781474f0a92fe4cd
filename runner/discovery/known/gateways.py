"""What stands between users and engines: routers of inference, and proxies of any kind.

Read in: production-stack, helm/templates/deployment-router.yaml (image lmcache/lmstack-router, container ``router-container``); SGLang's
router (``sglang_router.launch_router``); vllm-router; LiteLLM, deploy/charts/litellm-helm (image berriai/litellm, port 4000); the Gateway
API inference extension, config/charts/inferencepool (endpoint picker, port 9002); Istio's page of labels (``gateway.networking.k8s.io/
gateway-name``); Envoy Gateway (``gateway.envoyproxy.io/owning-gateway-name``); the charts of ingress-nginx, Traefik, Kong, HAProxy.
"""

from __future__ import annotations

from runner.discovery.known.catalogue import CATALOGUE
from runner.discovery.signs import Known, Signs

ROUTERS = frozenset({"vLLM router", "SGLang router", "LiteLLM"})
"""Gateways that know models: nearer to the engines than any proxy."""
PICKER = "endpoint picker"

CATALOGUE.register(
    Known(
        "vLLM router",
        "gateway",
        Signs(
            images=(r"(^|/)lmstack-router(:|@|$)", r"(^|/)vllm-router[^/]*(:|@|$)"),
            commands=(r"\bvllm-router\b", r"--service-discovery (k8s|static)\b"),
            containers=("router-container",),
        ),
    ),
    Known(
        "SGLang router",
        "gateway",
        Signs(
            images=(r"(^|/)sgl-(router|model-gateway)(:|@|$)",),
            commands=(r"\bsglang_router\.launch_router\b", r"\bsglang-router\b", r"\bsgl-model-gateway\b"),
        ),
    ),
    Known("LiteLLM", "gateway", Signs(images=(r"(^|/)litellm[^/]*(:|@|$)",), commands=(r"\blitellm\b",), ports=(4000,))),
    Known(
        PICKER,
        "gateway",
        Signs(
            images=(r"(^|/)llm-d-inference-scheduler(:|@|$)", r"(^|/)llm-d-router-endpoint-picker(:|@|$)", r"(^|/)epp(:|@|$)"),
            commands=(r"--pool-?[nN]ame\b",),
            ports=(9002,),
        ),
        remark="it picks an engine for each request; whether requests go on without it is the InferencePool's failureMode",
    ),
    Known(
        "Gateway API data plane",
        "gateway",
        Signs(
            labels=({"gateway.networking.k8s.io/gateway-name": ".+"}, {"gateway.envoyproxy.io/owning-gateway-name": ".+"}),
            images=(r"(^|/)istio/proxyv2",),
            containers=("envoy",),
        ),
    ),
    Known("Istio ingress gateway", "gateway", Signs(labels=({"istio": "ingressgateway"}, {"app": "istio-ingressgateway"}))),
    Known(
        "ingress-nginx",
        "gateway",
        Signs(
            labels=({"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "controller"},),
            images=(r"(^|/)ingress-nginx/controller",),
        ),
    ),
    Known(
        "Traefik",
        "gateway",
        Signs(labels=({"app.kubernetes.io/name": "traefik"},), images=(r"(^|/)traefik(:|@|$)",), commands=(r"--entry[pP]oints?\.",)),
    ),
    Known(
        "Kong",
        "gateway",
        Signs(labels=({"app.kubernetes.io/name": "kong"}, {"app": "kong"}), images=(r"(^|/)kong(-gateway)?(:|@|$)",)),
    ),
    Known("HAProxy", "gateway", Signs(images=(r"(^|/)haproxy[^/]*(:|@|$)",), commands=(r"(^|[ /])haproxy\b",))),
    Known("Envoy", "gateway", Signs(images=(r"(^|/)envoyproxy/envoy",), commands=(r"(^|[ /])envoy (-c|--config-path)\b",))),
    Known("nginx", "gateway", Signs(images=(r"(^|/)nginx(-unprivileged|-plus)?(:|@|$)",), commands=(r"(^|[ /])nginx (-g|-c)\b",))),
)
