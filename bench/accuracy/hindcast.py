"""Today's forecast for a stored run: from the timers that its own forecast kept, and the settings of the shipped manifests.

So that a change of the model is judged on runs that were recorded before it. Starting and loading are what the replicas took then.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from history.plan import Forecast, Plan
from runner.drivers.platform_timers import (
    NODE_MONITOR_S,
    STALL_SETTING,
    UNREACHABLE,
    Checks,
    PlatformTimers,
    demand_of,
    entry_checks,
    haproxy_checks,
)
from runner.preflight.forecast import EFFECTS, Effect, predict
from target.target import load_target

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "targets" / "local.yaml"
BASE = ROOT / "workloads" / "manifests" / "base"
START_S = 0.75  # of a container, where the stored forecast kept no such time: measured 0.7 to 1.5 s
IN_PLACE = {Effect.DEVICE_LOST, Effect.ENGINE_HUNG, Effect.POD_CUT}
"""Effects whose phase "start" is longer than the start of a container."""


def hindcast(plan: Plan) -> Forecast | None:
    """Return what would be forecast today for the run of ``plan``; None if nothing was forecast then."""
    kept = plan.forecast
    if kept is None or "load" not in kept.parts:
        return None
    method = yaml.safe_load((ROOT / "experiments" / f"{plan.experiment.id}.yaml").read_text())["method"]
    provider = method[0]["provider"]
    effect = EFFECTS[f"{provider['module']}.{provider['func']}"]
    start_s = START_S if effect in IN_PLACE else min(kept.parts.get("start", START_S), 2 * START_S)
    lasts_s = plan.timers.fault_s or plan.timers.deadline_parts.get("fault", 0.0)
    return predict(effect, timers_of(plan, start_s, kept.parts["load"]), lasts_s)


def timers_of(plan: Plan, start_s: float, load_s: float) -> PlatformTimers:
    """Return the timers of the shipped inference Deployment and its gateway."""
    deployment = next(doc for doc in yaml.safe_load_all((BASE / "inference.yaml").read_text()) if doc["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    replicas = plan.replicas_desired
    tolerated = next(one["tolerationSeconds"] for one in pod["tolerations"] if one["key"] == UNREACHABLE)
    return PlatformTimers(
        node_monitor_s=NODE_MONITOR_S,
        toleration_s=float(tolerated),
        readiness=_checks(container["readinessProbe"]),
        liveness=_checks(container["livenessProbe"]),
        balancer=haproxy_checks((BASE / "haproxy.cfg").read_text()),
        start_s=start_s,
        load_s=load_s,
        stall_s=next(float(one["value"]) for one in container["env"] if one["name"] == STALL_SETTING),
        entry=entry_checks(load_target(TARGET), "inference"),
        demand=demand_of(plan.load.rate_rps, plan.load.mix, plan.slo, replicas.get("gateway", 3), replicas.get("inference", 3)),
    )


def _checks(probe: dict[str, Any]) -> Checks:
    period_s = float(probe["periodSeconds"])
    return Checks(period_s, period_s, int(probe["failureThreshold"]), float(probe["timeoutSeconds"]))
