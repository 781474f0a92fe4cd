"""What is up, what is off, and until when."""

import json
from typing import Any

from cluster.api import Api, NodeStatus
from cluster.config import ClusterConfig, NodeConfig
from cluster.host import cgroups
from cluster.machines import machine
from cluster.power import outages
from cluster.state import State


def collect(state: State) -> dict[str, Any]:
    """Return the cluster's state; times are UTC. A node's power is on, off (by the controller) or crashed (its init died otherwise)."""
    config = state.load_config()
    known = outages.load(state)
    control = machine.process_of(state, machine.CONTROL)
    api = Api(config, state) if control else None
    seen = api.nodes() if api else {}
    return {
        "name": config.name,
        "server": config.server,
        "kubeconfig": str(state.kubeconfig),
        "control_plane": "on" if control else "off",
        "control_plane_pid": control.pid if control else None,
        "control_plane_down": known.parts_down(),
        "api_ready": bool(api and api.ready()),
        "host_services": "on" if machine.process_of(state, machine.HOST) else "off",
        "balancer": {f.name: f"http://127.0.0.1:{f.port}" for f in config.frontends},
        "nodes": [_node(config, state, n, known, seen.get(n.name)) for n in config.nodes],
    }


def _node(config: ClusterConfig, state: State, node: NodeConfig, known: outages.Outages, seen: NodeStatus | None) -> dict[str, object]:
    process = machine.process_of(state, node.name)
    outage = known.current.get((node.name, None))
    return {
        "name": node.name,
        "zone": node.zone,
        "address": config.node_address(node.name),
        "power": "on" if process else "off" if outage else "crashed",
        "pid": process.pid if process else None,
        "off_until": outage.until if outage else None,
        "ready": bool(seen and seen.ready),
        "gpus": [_gpu(node.name, i, known) for i in range(node.gpus)],
        "gpus_allocatable": seen.gpus if seen else 0,
        "processes": len(cgroups.members(cgroups.node_group(config.name, node.name))),
    }


def _gpu(node: str, index: int, known: outages.Outages) -> dict[str, object]:
    outage = known.current.get((node, index))
    return {"index": index, "health": "lost" if outage else "ok", "lost_until": outage.until if outage else None}


def as_json(state: State) -> str:
    """Return the state for programs."""
    return json.dumps(collect(state), indent=1)


def as_text(state: State) -> str:
    """Return the state as a table for people."""
    seen = collect(state)
    api = "ready" if seen["api_ready"] else "not ready"
    lines = [
        f"cluster {seen['name']}: control plane {seen['control_plane']}, API {api}, {seen['server']}",
        f"kubeconfig: {seen['kubeconfig']}",
        *(f"control plane: {part} is held down until {until}" for part, until in seen["control_plane_down"].items()),
        *(f"load balancer: {name} at {url}" for name, url in seen["balancer"].items()),
        f"{'NODE':<8} {'ZONE':<8} {'ADDRESS':<12} {'POWER':<8} {'KUBERNETES':<11} GPUS",
    ]
    for node in seen["nodes"]:
        ready = "Ready" if node["ready"] else "NotReady"
        out = f"  off until {node['off_until']}" if node["off_until"] else ""
        gpus = ", ".join(g["health"] + (f" until {g['lost_until']}" if g["lost_until"] else "") for g in node["gpus"])
        lines.append(f"{node['name']:<8} {node['zone']:<8} {node['address']:<12} {node['power']:<8} {ready:<11} {gpus or '-'}{out}")
    return "\n".join(lines)
