"""The target file of a large platform: its serving Deployment, no Prometheus, no machine driver, limits that allow a whole zone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from testing.load.scripted_server import write_prompts
from testing.platform.kube_api import CONTEXT
from testing.platform.large.manifests import ROLES, SERVING, SUITE, ZONE_LABEL, Large


def target_file(large: Large, folder: Path, server: str, kubeconfig: Path, endpoint: str = "http://127.0.0.1:9") -> dict[str, Any]:
    """Return the file's content; the prompts that it names are written into ``folder``."""
    region = {
        "context": CONTEXT,
        "server": server,
        "kubeconfig": str(kubeconfig),
        "namespaces": large.namespaces(),
        "endpoints": {"inference": endpoint},
        "zone_label": ZONE_LABEL,
    }
    roles = {
        name: {"namespace": SERVING, "selector": f"app={name}", "controller": {"kind": "Deployment", "name": name}, "container": "server"}
        for name in ROLES
    }
    return {
        "schema": 2,
        "name": "large",
        "suite": {"namespace": SUITE, "image": "registry.example.org/suite:1", "fault_image": "registry.example.org/fault:1"},
        "regions": {"default": region},
        "roles": roles,
        "limits": {"pods": 3, "nodes": large.nodes, "share_of_role": "67%"},
        "workloads": {"realtime-inference": _serving(str(write_prompts(folder / "prompts.jsonl")))},
    }


def _serving(prompts: str) -> dict[str, Any]:
    load = {"endpoint": "inference", "model": "tiny", "rate_rps": 15, "arrivals": "poisson", "prompts": prompts}
    load |= {"mix": [{"weight": 1, "max_tokens": [2, 8]}], "in_flight_cap": 64, "timeout": "5s"}
    slo = {"ratio": "95%", "latency": "3s"}
    return {"kind": "requests", "role": "inference", "slo": slo, "steady_state": {"window": "10s"}, "load": load}
