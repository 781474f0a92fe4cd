"""What the kill campaign breaks: small platforms of its own, each in a namespace, all with one suite namespace.

A platform is two replicas of an HTTP server with an "engine" process each, on the two nodes of one zone. Node faults are aimed at zones b
and c only, one platform each, so that two runs never want the same node; zone a (with the instruments) hosts platforms for pod faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.campaigns.kill.families import families
from testing.platform.targets import region_of

SUITE = "aftershock-kill"
ENGINE = "sleep infinity"  # the server's own command line has it in two words: exactly one process matches
CONSENT = {"aftershock.dev/chaos": "allowed"}
SERVER = f"""
import http.server, subprocess, sys, threading
def engine():
    while True:
        subprocess.run({ENGINE.split()})
threading.Thread(target=engine, daemon=True).start()
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8000), Answer).serve_forever()
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """One small platform. ``on``: what of it is hit: its pods, its nodes, its devices."""

    name: str
    zone: str
    on: tuple[str, ...]

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return f"aftershock-kill-{self.name}"

    @property
    def families(self) -> list[str]:
        """The faults that are tried on it. Raises ConfigError: a registration does not say how."""
        return [name for name, family in families().items() if family.on in self.on]


SLOTS = (
    *(Slot(f"a{number}", "zone-a", ("pods",)) for number in range(1, 7)),
    Slot("b", "zone-b", ("nodes", "devices")),
    Slot("c", "zone-c", ("nodes",)),
)
AT_ONCE = len(SLOTS)


def chosen(count: int) -> tuple[Slot, ...]:
    """Return ``count`` of the platforms, at least the two for node faults: fewer at once where the machine is small or busy."""
    return SLOTS[-max(2, count) :]


def target(slot: Slot, host: dict[str, Any]) -> dict[str, Any]:
    """Return the target file of a slot: cluster and load of the target file ``host``, the slot's own roles."""
    load = host["workloads"]["realtime-inference"]["load"] | {"rate_rps": 2}
    role = {
        "namespace": slot.namespace,
        "container": "server",
        "health": {"port": 8000},
        "process": {"match": ENGINE},
    }
    names = ("victim", "device") if "devices" in slot.on else ("victim",)
    region = {key: region_of(host)[key] for key in ("context", "server", "kubeconfig", "endpoints", "machines", "gpus")} | {
        "namespaces": [slot.namespace, "ml-serving", "ml-training", *(other.namespace for other in SLOTS if other is not slot)],
        "instruments": [{"namespace": "monitoring", "selector": "app=prometheus"}],
    }
    slo = {"ratio": 0.5, "latency": "5s"}
    return {
        "schema": host["schema"],
        "name": f"kill-{slot.name}",
        "suite": host["suite"] | {"namespace": SUITE},
        "regions": {"default": region},
        "roles": {name: role | {"selector": f"app={name}", "controller": {"kind": "Deployment", "name": name}} for name in names},
        "limits": {"pods": 3, "nodes": 2, "share_of_role": 1},
        "workloads": {"realtime-inference": {"kind": "requests", "role": "victim", "slo": slo, "load": load}},
    }


def deployment(slot: Slot, image: str, name: str, replicas: int, resources: dict[str, Any]) -> dict[str, Any]:
    """Return a Deployment's manifest; no two of its replicas share a node."""
    labels = {"app": name}
    probe = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1, "failureThreshold": 2}
    container = {
        "name": "server",
        "image": image,
        "command": ["python3", "-c", SERVER],
        "ports": [{"containerPort": 8000}],
        "readinessProbe": probe,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}} | resources,
        "securityContext": {"runAsUser": 65532, "runAsNonRoot": True},
    }
    apart = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    spec = {
        "nodeSelector": {"topology.kubernetes.io/zone": slot.zone},
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}} if replicas > 1 else {},
        "terminationGracePeriodSeconds": 0,
        "tolerations": [
            {"key": f"node.kubernetes.io/{one}", "operator": "Exists", "effect": "NoExecute"} for one in ("unreachable", "not-ready")
        ],
        "containers": [container],
    }
    template = {"metadata": {"labels": labels}, "spec": spec}
    strategy = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    body = {"replicas": replicas, "strategy": strategy, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name, "namespace": slot.namespace}, "spec": body}


def deployments(slot: Slot, image: str) -> list[dict[str, Any]]:
    """Return what a slot's namespace holds."""
    made = [deployment(slot, image, "victim", 2, {})]
    if "devices" in slot.on:
        made.append(deployment(slot, image, "device", 1, {"limits": {"nvidia.com/gpu": "1"}}))
    return made
