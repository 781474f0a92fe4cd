"""What happens in the virtual machine around the faults: what machine it is, the cluster comes up, a pod runs, the cluster goes."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bench.cgroup2 import speed
from bench.common.tables import Row
from cluster import leftovers, lifecycle
from cluster.config import ClusterConfig, default_config
from cluster.errors import ClusterError
from cluster.host import cgroups, pace
from cluster.host.commands import run
from cluster.host.wait import until_clear
from cluster.state import State

NODES = 4  # two zones of a CPU node and a GPU node each: as few as every fault has its target in
UP_S, POD_S, DOWN_S = 120.0, 30.0, 30.0  # on a real processor
POD = "one"
Say = Callable[[str], None]


def config() -> ClusterConfig:
    """Return the cluster's parameters: those of the target file targets/local.yaml, with fewer nodes."""
    return default_config(node_count=NODES)


def machine(slower_by: float) -> Row:
    """Return what machine this is: its kernel, that control groups are version 2 only, and that it is fast enough."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    kinds = sorted({kind for _, _, kind, *_ in mounts if kind.startswith("cgroup")})
    controllers = (cgroups.MOUNT / "cgroup.controllers").read_text().split()
    wrong = [] if kinds == ["cgroup2"] and cgroups.is_v2() else [f"mounted are {', '.join(kinds)}, expected cgroup2 alone"]
    if slower_by > speed.MOST:
        wrong.append(
            f"its processor is {slower_by:g} times slower than the one outside, at most {speed.MOST:g} times will do, or Kubernetes' own "
            "timers do not hold: others use the machine; try again when they do not"
        )
    return {"step": "machine", "kernel": os.uname().release, "cgroups": kinds, "controllers": controllers, "wrong": wrong}


def up(say: Say) -> Row:
    """Start the cluster; return how long that took, and what was wrong."""
    return _timed("up", UP_S, lambda: lifecycle.up(config(), say, exactly=False)) | {"nodes": [node.name for node in config().nodes]}


def down(say: Say) -> Row:
    """Remove the cluster; return how long that took, and what is left."""
    name = config().name
    row = _timed("down", DOWN_S, lambda: lifecycle.down(name, say))
    row["wrong"] += leftovers.find(name).sentences()
    return row


def _timed(step: str, usual_s: float, act: Callable[[], None]) -> Row:
    began_s, wrong = time.monotonic(), []
    try:
        act()
    except ClusterError as error:
        wrong.append(str(error))
    seconds, limit_s = time.monotonic() - began_s, pace.limit_s(usual_s)
    wrong += [f"not within {limit_s:.0f} s"] if seconds > limit_s and not wrong else []
    return {"step": step, "seconds": round(seconds, 1), "limit_s": round(limit_s, 1), "wrong": wrong}


def pod() -> Row:
    """Run one pod; return how long that took, and the control groups of its container, which must be a pod's on version 2."""
    row = _timed("pod", POD_S, _run_pod)
    row["group"] = "" if row["wrong"] else _group()
    if not row["wrong"] and not (row["group"].startswith("0::/aftershock-") and "/kubepods/" in row["group"]):
        row["wrong"].append(f"its process is in {row['group']!r}, expected a pod's group of version 2 below its node's")
    _kubectl("delete", "pod", POD, "--now", "--ignore-not-found")
    return row


def _run_pod() -> None:
    container = {"name": "one", "image": "aftershock/suite:dev", "command": ["sleep", "2718281"]}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container | {"resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
    _kubectl("apply", "-f", "-", stdin=json.dumps(body))
    until_clear(lambda: _phase() != "Running", lambda _: f"pod {POD} is not running: {_phase()}.", POD_S, pause_s=0.5)


def _phase() -> str:
    return _kubectl("get", "pod", POD, "-o", "jsonpath={.status.phase}")


def _group() -> str:
    """Return the control groups of the pod's process, as this machine's kernel says them."""
    found = subprocess.run(["pgrep", "-xf", "sleep 2718281"], capture_output=True, text=True, check=False).stdout.split()
    return Path(f"/proc/{found[0]}/cgroup").read_text().strip() if found else "no group: there is no such process"


def _kubectl(*words: str, stdin: str | None = None) -> str:
    state = State(config().name)
    return run(str(state.programs / "kubectl"), "--kubeconfig", str(state.kubeconfig), *words, stdin=stdin)
