"""Probes that see nothing, or something else. ``how`` is the mutation; ``honest`` is the twin."""

from __future__ import annotations

import threading
from collections.abc import Callable

import bench.mutations.quick  # noqa: F401 - shortens this process's clock
from history.errors import NoData
from history.schema import EventKind
from probes import pods, users
from probes.events import first_ns

WINDOW_S = 5.0
CONSTANT_MS = 83.25
seen: list[float] = []
"""Values of the probe that freezes."""


def latency(how: str = "honest") -> object:
    """Return the 95th percentile of what users wait for (ms), or what mutation ``how`` makes of it."""
    return LATENCIES[how]()


def gone(activity: str, how: str = "honest") -> object:
    """Tell whether the targets of ``activity`` are gone, or what mutation ``how`` makes of it."""
    return GONE[how](activity)


def _honest() -> float:
    return users.p95_latency_ms(WINDOW_S)


def _after_the_fault(broken: Callable[[], object]) -> Callable[[], object]:
    """Return a probe that is honest until the fault."""

    def look() -> object:
        if _begun():
            return broken()
        seen.append(_honest())
        return seen[-1]

    return look


def _begun() -> bool:
    try:
        return bool(first_ns(EventKind.FAULT_START))
    except NoData:
        return False


def _raise() -> float:
    raise RuntimeError("the metrics endpoint answered in another language")


def _hang() -> None:
    threading.Event().wait()


LATENCIES: dict[str, Callable[[], object]] = {
    "honest": _honest,
    "constant": lambda: CONSTANT_MS,
    "freezes": _after_the_fault(lambda: seen[-1]),
    "raises": _raise,
    "raises later": _after_the_fault(_raise),
    "hangs": _after_the_fault(_hang),
    "None": lambda: None,
    "None later": _after_the_fault(lambda: None),
    "NaN later": _after_the_fault(lambda: float("nan")),
    "infinite later": _after_the_fault(lambda: float("inf")),
    "text later": _after_the_fault(lambda: "83.25"),
    "true later": _after_the_fault(lambda: True),
    "a list later": _after_the_fault(lambda: [83.25]),
}
GONE: dict[str, Callable[[str], object]] = {
    "honest": pods.gone,
    "always true": lambda _activity: True,
    "always false": lambda _activity: False,
    "raises": lambda _activity: _raise(),
    "None": lambda _activity: None,
    "text": lambda _activity: "True",
    "a number": lambda _activity: 7,
}
