"""The instruments of a run as the report shows them: the fault, how it is known to have acted, and how well the load was offered."""

from __future__ import annotations

from typing import Literal

from history.result import Verdict
from history.values import FrozenModel


class TouchedObject(FrozenModel):
    """One object that the fault touched."""

    target: str  # Kind/name
    namespace: str | None
    node: str | None
    effect: str
    ends: str  # what would have ended it had the suite died


class Fault(FrozenModel):
    """What was done, and how it is known to have taken effect and to be over. ``started`` is null if nothing was injected."""

    kind: Literal["fault", "none", "sham"]
    actions: tuple[str, ...]
    started: str | None
    confirmed: str | None
    confirmed_s: float | None
    evidence: tuple[str, ...]  # "probe: what it saw"
    ended: str | None
    ended_s: float | None
    ended_how: str
    effects: tuple[TouchedObject, ...]
    targets: tuple[str, ...]


class LoadQuality(FrozenModel):
    """How well the load was offered. ``in_flight_cap`` is what the generator may have open at once."""

    offered_rps: float
    achieved_rps: float
    send_lag_p99_ms: float
    send_lag_max_ms: float
    cpu_share_max: float | None
    cap_hits: int
    in_flight_cap: int
    scheduled: int
    recorded: int
    holes: int
    arrivals: str
    verdict: Verdict | None  # of the checks that concern the instruments; null: there was none
    sentence: str
