"""Measured recovery beside its floor: how soon the platform's timers let it be over (:class:`history.plan.Floor`).

It never changes a verdict. A recovery that was quicker than its floor says that a timer is not what it was read as, or that the suite
measures wrongly.
"""

from __future__ import annotations

from history.plan import Floor
from history.result import Measurement

FLOOR_OF = {"rto": "rto_s", "full_capacity": "capacity_rto_s"}
"""Which field of the floor bounds a measurement from below."""


def floor_of(floor: Floor | None, name: str) -> float | None:
    """Return the floor under the measurement ``name`` (s); None if there is none."""
    if floor is None or name not in FLOOR_OF:
        return None
    found: float | None = getattr(floor, FLOOR_OF[name])
    return found


def is_below(floor: Floor | None, measured: Measurement) -> bool:
    """Tell whether a recovery was quicker than its floor.

    Not one whose end was not seen (a lower bound), nor where nothing was lost (0 s): there was no recovery then.
    """
    least_s = floor_of(floor, measured.name)
    return least_s is not None and not measured.censored and measured.value is not None and 0 < measured.value < least_s
