"""A silence in Alertmanager for the time of a run, where the target file asks for one: who is on call is not paged for what a run breaks.

It has the labels of the roles that the run drives or hits, leaves out every rule that is judged, and expires by itself.
The API: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

import requests
from pydantic import BaseModel, TypeAdapter, ValidationError

from history.clock import now_ns
from history.errors import FaultFailed, UndoFailed
from kube.client import Platform
from safety.active_run import ActiveRun
from safety.undo_journal import Undo, UndoKind
from target.region import Region

ACTIVITY, AUTHOR = "silence", "aftershock"
TIMEOUT_S = 5.0
OVER = "expired"
Matchers = list[dict[str, object]]
Failed = type[FaultFailed] | type[UndoFailed]
T = TypeVar("T")


class _State(BaseModel):
    state: str


class _Silence(BaseModel):
    id: str
    createdBy: str  # noqa: N815 - as the API spells it
    comment: str
    status: _State

    def acts_for(self, run_id: str) -> bool:
        """Tell whether it was made for a run, and has not expired."""
        return (self.createdBy, self.comment) == (AUTHOR, _comment(run_id)) and self.status.state != OVER


class _Made(BaseModel):
    silenceID: str  # noqa: N815 - likewise


FOUND: TypeAdapter[list[_Silence]] = TypeAdapter(list[_Silence])


def begin_silence(run: ActiveRun) -> list[str]:
    """Make the silences that the target file asks for, journalled first; return a sentence for each. They end with the run's deadline.

    Raises FaultFailed: Alertmanager does not take one, so nothing must be injected: who is on call was to be spared.
    """
    region, timers = run.platform.region, run.plan.timers
    if region.alerts is None or not region.alerts.silence:
        return []
    ends_ns = now_ns() + round((timers.confirm_s + timers.deadline_s) * 1e9)
    ends = f"it expires at {_moment(ends_ns)}"
    run.journal.will_undo(Undo(kind=UndoKind.END_SILENCE, activity=ACTIVITY, object=run.plan.run_id, ends_by_ns=ends_ns, self_ends=ends))
    return [_made(region, run.plan.run_id, matchers, ends_ns) for matchers in matchers_of(run)]


def matchers_of(run: ActiveRun) -> list[Matchers]:
    """Return what each silence matches: the labels of a role that the run drives or whose namespace it hits, and no rule that is judged."""
    platform, plan = run.platform, run.plan
    driven, hit = {one.role for one in plan.workloads}, {one.namespace for one in plan.targets}
    roles = [role for name, role in platform.target.roles.items() if name in driven or role.namespace in hit]
    common = platform.region.prometheus.labels if platform.region.prometheus else {}
    labels = [common | role.series_labels for role in roles]
    return [[*_equal(one), _judged(platform.region)] for number, one in enumerate(labels) if one and one not in labels[:number]]


def end_silence(platform: Platform, undo: Undo) -> str:
    """End the silences of the run that ``undo`` names; return what was done.

    Raises UndoFailed: Alertmanager does not answer, and they have not expired yet.
    """
    url = _url(platform.region)
    if not url or now_ns() > undo.ends_by_ns:
        return f"silences of run {undo.object}: {undo.self_ends}"
    found = [
        one.id for one in _read(FOUND.validate_json, _asked("GET", url, "silences", UndoFailed), UndoFailed) if one.acts_for(undo.object)
    ]
    for silence in found:
        _asked("DELETE", url, f"silence/{silence}", UndoFailed)
    return f"silences of run {undo.object}: {len(found)} ended"


def _made(region: Region, run_id: str, matchers: Matchers, ends_ns: int) -> str:
    said = {
        "matchers": matchers,
        "startsAt": _moment(now_ns()),
        "endsAt": _moment(ends_ns),
        "createdBy": AUTHOR,
        "comment": _comment(run_id),
    }
    made = _read(_Made.model_validate_json, _asked("POST", _url(region), "silences", FaultFailed, said), FaultFailed)
    labels = ", ".join(f"{one['name']}={one['value']}" for one in matchers[:-1])
    return f"silence {made.silenceID}: alerts with {labels}, but those that are judged, until {_moment(ends_ns)}"


def _equal(labels: dict[str, str]) -> Iterator[dict[str, object]]:
    return ({"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in labels.items())


def _judged(region: Region) -> dict[str, object]:
    rules = region.alerts.rules if region.alerts else ()
    return {"name": "alertname", "value": "|".join(re.escape(one.rule) for one in rules), "isRegex": True, "isEqual": False}


def _comment(run_id: str) -> str:
    return f"run {run_id} of Aftershock breaks things on purpose"


def _url(region: Region) -> str:
    return (region.alerts.receiver.alertmanager or "").rstrip("/") if region.alerts and region.alerts.receiver else ""


def _asked(method: str, url: str, what: str, raises: Failed, body: object = None) -> bytes:
    where = f"Alertmanager at {url}, {method} {what}"
    try:
        heard = requests.request(method, f"{url}/api/v2/{what}", json=body, timeout=TIMEOUT_S, allow_redirects=False)
    except (requests.RequestException, OSError) as error:
        raise raises(f"{where}: it does not answer ({error}); see whether it is up, or leave silence out of alerts") from error
    if heard.status_code != requests.codes.ok:
        raise raises(
            f"{where}: HTTP {heard.status_code}: {heard.text[:200].strip()}; expected 200; let it in, or leave silence out of alerts"
        )
    return heard.content


def _read(parse: Callable[[bytes], T], said: bytes, raises: Failed) -> T:
    try:
        return parse(said)
    except ValidationError as error:
        raise raises(
            f"Alertmanager answers {said[:200]!r}: that is none of its API; correct its URL, or leave silence out of alerts"
        ) from error


def _moment(t_ns: int) -> str:
    return datetime.fromtimestamp(t_ns // 1_000_000_000, UTC).isoformat().replace("+00:00", "Z")
