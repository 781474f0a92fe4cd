"""Rules as Prometheus answers /api/v1/rules, whole: as of version 2.42, with every field that it sends."""

from __future__ import annotations

from typing import Any

EVALUATED = {"evaluationTime": 0.000204093, "lastEvaluation": "2026-12-01T07:54:18.530608383Z"}


def alert(state: str = "firing", **labels: str) -> dict[str, Any]:
    """Return one alert of a rule."""
    return {
        "labels": {"alertname": "InferenceUnavailable", "severity": "page"} | labels,
        "annotations": {"summary": "down"},
        "state": state,
        "activeAt": "2026-12-01T07:54:24.528064848Z",
        "value": "0e+00",
    }


def alerting(name: str, *alerts: dict[str, Any], **said: Any) -> dict[str, Any]:
    """Return one alerting rule with its alerts; ``said``: fields with another value."""
    order = ("inactive", "pending", "firing")
    state = max((one["state"] for one in alerts), key=order.index, default="inactive")
    usual = {"state": state, "name": name, "query": "sum(up) < 1", "duration": 10, "keepFiringFor": 0, "labels": {"severity": "page"}}
    return usual | {"annotations": {}, "alerts": list(alerts), "health": "ok", **EVALUATED, "type": "alerting"} | said


def recording(name: str) -> dict[str, Any]:
    """Return one recording rule."""
    return {"name": name, "query": "sum(up)", "health": "ok", **EVALUATED, "type": "recording"}


def group(name: str, *rules: dict[str, Any], interval: float = 5) -> dict[str, Any]:
    """Return a group of rules."""
    return {"name": name, "file": "rules.yml", "rules": list(rules), "interval": interval, "limit": 0, **EVALUATED}
