"""What the kill campaign breaks: small platforms of its own, each in a namespace, all with one suite namespace, and experiments on them.

A platform is two replicas of an HTTP server with an "engine" process each, on the two nodes of one zone. Node faults are aimed at zones b
and c only, one platform each, so that two runs never want the same node; zone a (with the instruments) hosts platforms for pod faults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults import gpus, network, nodes, pods, processes, zones
from safety.fault_spec import spec_of

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
    """One small platform. ``families``: what is done to it."""

    name: str
    zone: str
    families: tuple[str, ...]

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return f"aftershock-kill-{self.name}"


CUT_OFF = "replica cut off"
ON_PODS = ("pod killed", "engine killed", "engine frozen", CUT_OFF)
ON_NODES = ("node cordoned", "node drained", "node without power", "node silent", "zone lost")
SLOTS = (
    *(Slot(f"a{number}", "zone-a", ON_PODS) for number in range(1, 7)),
    Slot("b", "zone-b", (*ON_NODES, "GPU lost")),
    Slot("c", "zone-c", ON_NODES),
)
AT_ONCE = len(SLOTS)


def chosen(count: int) -> tuple[Slot, ...]:
    """Return ``count`` of the platforms, at least the two for node faults: fewer at once where the machine is small or busy."""
    return SLOTS[-max(2, count) :]


@dataclass(frozen=True, slots=True)
class Family:
    """One fault as an experiment has it, with its arguments besides the role, and its rollback. Its evidence is what it says itself."""

    fault: Callable[..., Any]
    arguments: dict[str, Any]
    rollback: Callable[..., Any] | None
    role: str = "victim"


FOR_S = {"for_s": 8}
LONG_S = {"for_s": 15}
FAMILIES = {
    "pod killed": Family(pods.kill, {}, None),
    "engine killed": Family(processes.kill_engine, {}, processes.replace),
    "engine frozen": Family(processes.freeze_engine, FOR_S, processes.replace),
    CUT_OFF: Family(network.isolate, FOR_S, network.restore),
    "node cordoned": Family(nodes.cordon, {}, nodes.uncordon),
    "node drained": Family(nodes.drain, {}, nodes.uncordon),
    "node without power": Family(nodes.power_off, LONG_S, nodes.power_on),
    "node silent": Family(nodes.silence, LONG_S, network.restore),
    "zone lost": Family(zones.lose, LONG_S, zones.recover),
    "GPU lost": Family(gpus.lose_device, LONG_S, gpus.repair, "device"),
}


def evidence_of(family: Family) -> dict[str, Any]:
    """Return the provider of the most direct evidence that a family's fault names."""
    spec = spec_of(family.fault)
    module, _, func = spec.evidence[0].rpartition(".") if spec else ("", "", "")
    return provider(module, func, activity="act")


def called(function: Callable[..., Any], **arguments: object) -> dict[str, Any]:
    """Return the provider that calls a function."""
    return provider(function.__module__, function.__name__, **arguments)


def provider(module: str, func: str, **arguments: object) -> dict[str, Any]:
    """Return a provider as an experiment file has it."""
    return {"type": "python", "module": module, "func": func, "arguments": arguments}


def experiment_file(folder: Path, name: str) -> Path:
    """Return where a campaign keeps the experiment of one family: a folder each, since a session refuses what its target cannot do."""
    word = name.replace(" ", "-")
    return folder / "experiments" / word / f"{word}.yaml"


def experiment(name: str) -> dict[str, Any]:
    """Return the experiment of one family: short, with a hypothesis that holds whatever users feel: not they are tested here."""
    family = FAMILIES[name]
    served = {"type": "probe", "name": "served", "tolerance": {"type": "range", "range": [0, 1]}}
    seen = {"type": "probe", "name": "seen", "tolerance": True, "provider": evidence_of(family)}
    back = [{"type": "action", "name": "back", "provider": called(family.rollback)}] if family.rollback else []
    ours = {
        "name": "aftershock",
        "workload": "realtime-inference",
        "budgets": {"rto": "60s"},
        "evidence": [seen],
        "deadline": "12s",
        "hold": "2s",
        "allow": {"last_replica": True, "share_of_role": True, "without_capacity": True},
    }
    return {
        "title": name,
        "description": "The kill campaign's.",
        "tags": ["kill"],
        "steady-state-hypothesis": {
            "title": "anything goes",
            "probes": [served | {"provider": provider("probes.users", "good_ratio", window_s=2)}],
        },
        "method": [{"type": "action", "name": "act", "provider": called(family.fault, role=family.role, **family.arguments)}],
        "rollbacks": back,
        "runtime": {"rollbacks": {"strategy": "always"}},
        "extensions": [ours],
    }


def target(slot: Slot, host: dict[str, Any]) -> dict[str, Any]:
    """Return the target file of a slot: cluster and load of the target file ``host``, the slot's own roles."""
    load = host["workloads"]["realtime-inference"]["load"] | {"rate_rps": 2}
    role = {"namespace": slot.namespace, "port": 8000, "container": "server", "engine": ENGINE}
    roles = {"victim": role | {"selector": "app=victim", "deployment": "victim"}}
    if "GPU lost" in slot.families:
        roles["device"] = role | {"selector": "app=device", "deployment": "device"}
    return {
        key: host[key]
        for key in ("schema", "context", "server", "kubeconfig", "suite_image", "fault_image", "endpoints", "machines", "gpus")
    } | {
        "name": f"kill-{slot.name}",
        "namespaces": [slot.namespace, "ml-serving", "ml-training", *(other.namespace for other in SLOTS if other is not slot)],
        "suite_namespace": SUITE,
        "roles": roles,
        "instruments": [{"namespace": "monitoring", "selector": "app=prometheus"}],
        "limits": {"pods": 3, "nodes": 2, "share_of_role": 1},
        "workloads": {"realtime-inference": {"role": "victim", "slo": {"ratio": 0.5, "latency": "5s"}, "load": load}},
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
    if "GPU lost" in slot.families:
        made.append(deployment(slot, image, "device", 1, {"limits": {"nvidia.com/gpu": "1"}}))
    return made
