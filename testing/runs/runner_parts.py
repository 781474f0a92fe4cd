"""Parts for tests of the runner: an experiment whose functions do what the test scripts, a plan, and what the child sends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from history.budgets import Budgets
from history.plan import Plan, ResolvedTarget, TargetInfo, Timers
from history.reader import read_table
from history.schema import EventKind
from history.workloads import Load, Mix, Slo
from kube.client import Platform
from kube.permissions import Permission
from runner.experiment.experiment import Experiment
from runner.messages import Kind
from safety import active_run
from safety.fault_spec import Arguments, fault
from testing.platform.fake_cluster import ROOT
from testing.platform.targets import changed

scripted: dict[str, list[Any]] = {}
"""What each function below does next: a value to return, or an exception to raise; the last one is repeated. Empty: its default."""

EXPERIMENT = """\
title: A pod is killed
description: For tests of the runner.
tags: [serving, smoke, I1]

steady-state-hypothesis:
  title: users are served
  probes:
    - type: probe
      name: served
      tolerance: {type: range, range: [0.99, 1.0]}
      provider: {type: python, module: testing.runs.runner_parts, func: served}

method:
  - type: action
    name: kill
    provider: {type: python, module: testing.runs.runner_parts, func: kill, arguments: {role: inference}}

rollbacks:
  - type: action
    name: put-back
    provider: {type: python, module: testing.runs.runner_parts, func: put_back}

extensions:
  - name: aftershock
    schema: 1
    workload: realtime-inference
    budgets: {rto: 30s, availability: 97% over 15s}
    evidence:
      - type: probe
        name: gone
        tolerance: true
        provider: {type: python, module: testing.runs.runner_parts, func: gone, arguments: {activity: kill}}
"""

NULL = (
    EXPERIMENT.split("method:", maxsplit=1)[0]
    + """method: []
extensions:
  - name: aftershock
    workload: realtime-inference
    fault: none
    budgets: {availability: 99% over 20s}
"""
)


def _next(name: str, default: Any) -> Any:
    script = scripted.get(name, [])
    value = script[0] if script else default
    if len(script) > 1:
        script.pop(0)
    if callable(value):
        value = value()
    if isinstance(value, BaseException):
        raise value
    return value


def served() -> float:
    value: float = _next("served", 1.0)
    return value


def gone(activity: str) -> bool:
    assert active_run.require().targets_of(activity)
    events = read_table(active_run.require().run_dir, "events")
    if EventKind.FAULT_START.value not in events["kind"]:
        return bool(_next("gone before", default=False))
    value: bool = _next("gone", default=True)
    return value


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    pod = rng.choice(platform.pods(arguments["role"]))
    return [
        ResolvedTarget(kind="Pod", name=pod.metadata.name, namespace=pod.metadata.namespace, uid=pod.metadata.uid, node=pod.spec.node_name)
    ]


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    return [Permission("delete", "pods", namespace=platform.target.role(arguments["role"]).namespace)]


@fault(resolve=_resolve, permissions=_permissions, tier="namespace")
def kill(role: str) -> Any:
    run = active_run.require()
    run.fault_starts(run.targets_of())
    return _next("kill", {"targets": [target.name for target in run.targets_of()], "role": role})


def put_back() -> Any:
    return _next("put_back", {"undone": []})


def just_an_action() -> None:
    """No fault: nothing bounds or undoes it."""


class Sent:
    """Keeps what the child sends to its parent."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self._ring: Callable[[], None] = lambda: None

    def __call__(self, kind: str, /, **fields: object) -> None:
        self.messages.append((kind, fields))
        self._ring()

    def listen(self, ring: Callable[[], None]) -> None:
        self._ring = ring

    def texts(self, kind: Kind) -> list[str]:
        return [str(fields.get("text", "")) for said, fields in self.messages if said == kind]


def target_file(folder: Path, **changes: object) -> Path:
    """Write the local target with other values for some keys, and return the file."""
    file = folder / "target.yaml"
    file.write_text(yaml.safe_dump(changed(yaml.safe_load((ROOT / "targets/local.yaml").read_text()), **changes)))
    return file


def plan_of(experiment: Experiment, **changes: object) -> Plan:
    target = ResolvedTarget(kind="Pod", name="inference-a", namespace="ml-serving", uid="uid-inference-a", node="gpu-a")
    fields: dict[str, object] = {
        "run_id": "20261121-120000-pod-killed-1-ab12",
        "created_ns": 1,
        "seed": 7,
        "profile": "smoke",
        "experiment": experiment.info(),
        "target": TargetInfo(name="local", context="aftershock-local", server="https://10.89.0.1:6443", namespaces=("ml-serving",)),
        "workload": "realtime-inference",
        "slo": Slo(ratio=0.9, latency_ms=200),
        "budgets": Budgets(rto_s=30, availability=0.97),
        "load": Load(
            url="http://127.0.0.1:1", model="m", rate_rps=100, mix=(Mix(weight=1, max_tokens=(1, 2)),), prompts="prompts.jsonl",
            in_flight_cap=10, timeout_s=1, horizon_s=10, seed=7,
        ),
        "timers": Timers(baseline_s=0.2, hold_s=0.2, confirm_s=0.4, deadline_s=0.6, heal_s=0.5),
        "targets": (target,) if experiment.injects else (),
        "replicas_desired": {"inference": 3},
        "evidence": tuple(probe.name for probe in experiment.settings.evidence),
        "hypothesis_probes": ("served",),
    }  # fmt: skip
    return Plan(**(fields | changes))
