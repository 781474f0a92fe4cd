"""A silence in Alertmanager for the time of a run, where the target file asks for one: who is on call is not paged for what a run breaks.

It has the labels of the roles that the run drives or hits, leaves out every rule that is judged, and is never ended: it expires by itself.
Alerts still fire for their ranges and ``for`` when healing is over, so nothing of it is undone.
The API: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import requests
from pydantic import BaseModel, ValidationError

from history.clock import now_ns
from history.errors import FaultFailed
from safety.active_run import ActiveRun
from target.region import Region

AUTHOR = "aftershock"
TIMEOUT_S = 5.0
Matchers = list[dict[str, object]]


class _Made(BaseModel):
    silenceID: str  # noqa: N815 - as the API spells it


def begin_silence(run: ActiveRun, pauses_s: float) -> list[str]:
    """Make the silences that the target file asks for; return a sentence for each. They expire once all that may still come is over.

    ``pauses_s``: how long the method waits by its own pauses (s), which the plan does not know.

    Raises FaultFailed: Alertmanager does not take one, so nothing must be injected: who is on call was to be spared.
    """
    region, timers = run.platform.region, run.plan.timers
    if region.alerts is None or not region.alerts.silence:
        return []
    longest_s = pauses_s + timers.fault_s + timers.confirm_s + timers.deadline_s + timers.heal_s
    ends_ns = now_ns() + round(longest_s * 1e9)
    return [_made(region, run.plan.run_id, matchers, ends_ns) for matchers in matchers_of(run)]


def matchers_of(run: ActiveRun) -> list[Matchers]:
    """Return what each silence matches: the labels of a role that the run drives or whose namespace it hits, and no rule that is judged."""
    platform, plan = run.platform, run.plan
    driven, hit = {one.role for one in plan.workloads}, {one.namespace for one in plan.targets}
    roles = [role for name, role in platform.target.roles.items() if name in driven or role.namespace in hit]
    common = platform.region.prometheus.labels if platform.region.prometheus else {}
    labels = [common | role.series_labels for role in roles]
    return [[*_equal(one), _judged(platform.region)] for number, one in enumerate(labels) if one and one not in labels[:number]]


def _made(region: Region, run_id: str, matchers: Matchers, ends_ns: int) -> str:
    body = {
        "matchers": matchers,
        "startsAt": _moment(now_ns()),
        "endsAt": _moment(ends_ns),
        "createdBy": AUTHOR,
        "comment": f"run {run_id} of Aftershock breaks things on purpose",
    }
    heard = _posted(_url(region), body)
    try:
        made = _Made.model_validate_json(heard)
    except ValidationError as error:
        raise FaultFailed(
            f"Alertmanager answers {heard[:200]!r}: that is none of its API; correct its URL, or leave silence out of alerts"
        ) from error
    labels = ", ".join(f"{one['name']}={one['value']}" for one in matchers[:-1])
    return f"silence {made.silenceID}: alerts with {labels}, but those that are judged, until {_moment(ends_ns)}"


def _equal(labels: dict[str, str]) -> Iterator[dict[str, object]]:
    return ({"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in labels.items())


def _judged(region: Region) -> dict[str, object]:
    rules = region.alerts.rules if region.alerts else ()
    return {"name": "alertname", "value": "|".join(re.escape(one.rule) for one in rules), "isRegex": True, "isEqual": False}


def _url(region: Region) -> str:
    return (region.alerts.receiver.alertmanager or "").rstrip("/") if region.alerts and region.alerts.receiver else ""


def _posted(url: str, body: object) -> bytes:
    where = f"Alertmanager at {url}, POST silences"
    try:
        heard = requests.post(f"{url}/api/v2/silences", json=body, timeout=TIMEOUT_S, allow_redirects=False)
    except (requests.RequestException, OSError) as error:
        raise FaultFailed(f"{where}: it does not answer ({error}); see whether it is up, or leave silence out of alerts") from error
    if heard.status_code != requests.codes.ok:
        raise FaultFailed(
            f"{where}: HTTP {heard.status_code}: {heard.text[:200].strip()}; expected 200; let it in, or leave silence out of alerts"
        )
    return heard.content


def _moment(t_ns: int) -> str:
    return datetime.fromtimestamp(t_ns // 1_000_000_000, UTC).isoformat().replace("+00:00", "Z")
