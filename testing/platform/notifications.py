"""Notifications as Alertmanager 0.25 posts them to a webhook, whole: version 4, with every field that it sends."""

from __future__ import annotations

from typing import Any

STARTED = "2026-12-01T07:54:34.528064848Z"


def notified(name: str = "InferenceUnavailable", status: str = "firing", **labels: str) -> dict[str, Any]:
    """Return one alert of a notification."""
    return {
        "status": status,
        "labels": {"alertname": name, "severity": "page"} | labels,
        "annotations": {"summary": "down"},
        "startsAt": STARTED,
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-12-01T07:55:34.528064848Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        "fingerprint": "b5d4045c3f466fa9",
    }


def notification(*alerts: dict[str, Any], **said: Any) -> dict[str, Any]:
    """Return a notification with these alerts; ``said``: fields with another value."""
    usual = {
        "receiver": "aftershock",
        "status": "firing" if any(one["status"] == "firing" for one in alerts) else "resolved",
        "alerts": list(alerts),
        "groupLabels": {"alertname": "InferenceUnavailable"},
        "commonLabels": {"severity": "page"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": '{}:{alertname="InferenceUnavailable"}',
        "truncatedAlerts": 0,
    }
    return usual | said
