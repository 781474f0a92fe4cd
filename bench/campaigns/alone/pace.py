"""The suite's own time limits on an emulated processor: so many times longer as that was measured to be slower, for one process.

Nobody but this campaign does that: its trials ask whether a fault acts, is proven and ends, not how fast the machine is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LIMITS = (
    "bench.campaigns.kill.slots.HEALTHY_S",
    "bench.campaigns.kill.slots.WELL_S",
    "faults.mechanisms.beside_server.ACT_S",
    "faults.mechanisms.beside_server.START_S",
    "faults.mechanisms.fault_pod.ACT_S",
    "faults.mechanisms.fault_pod.START_S",
    "faults.mechanisms.process_signal.START_S",
    "faults.pods.GONE_S",
    "faults.ranks.EVICT_S",
    "kube.connection.bounded_client.CONNECT_S",
    "kube.connection.bounded_client.READ_S",
    "kube.health.choice.TRY_S",
    "kube.health.questions.ANSWER_S",
    "kube.health.questions.LONGEST_S",
    "kube.health.through_exec.BEGIN_S",
    "kube.health.through_exec.OPEN_S",
    "kube.health.through_port_forward.OPEN_S",
    "kube.health.through_proxy.CONNECT_S",
    "kube.proxy.CONNECT_S",
    "kube.proxy.READ_S",
    "probes.network.ASK_S",
    "safety.data_damage.LIMIT_S",
    "safety.replacement.EVICT_S",
    "safety.undo.GONE_S",
)
BY_DEFAULT = (
    ("kube.connection.websocket.open_websocket", "limit_s"),
    ("kube.container_exec.output_of", "limit_s"),
    ("kube.container_exec.run_in", "open_s"),
    ("kube.machine_drivers.run", "timeout_s"),
)
"""Functions, and which of their arguments is a time limit that they have by default."""


@contextmanager
def unhurried(slower_by: float) -> Iterator[None]:
    """Multiply every limit by ``slower_by`` until the end of the context."""
    kept = [(*_place(name), _value(name)) for name in LIMITS]
    defaults = [(_value(name), argument) for name, argument in BY_DEFAULT]
    try:
        for module, name, value in kept:
            setattr(module, name, value * slower_by)
        for function, argument in defaults:
            _change(function, argument, slower_by)
        yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)
        for function, argument in defaults:
            _change(function, argument, 1 / slower_by)


def _place(name: str) -> tuple[Any, str]:
    module, _, constant = name.rpartition(".")
    return importlib.import_module(module), constant


def _value(name: str) -> Any:  # noqa: ANN401 - a number or a function
    module, constant = _place(name)
    return getattr(module, constant)


def _change(function: Callable[..., Any], argument: str, factor: float) -> None:
    """Multiply the default of an argument, keyword-only or the last of the others."""
    keywords = function.__kwdefaults__ or {}
    if argument in keywords:
        keywords[argument] *= factor
    else:
        *others, last = function.__defaults__ or ()
        function.__defaults__ = (*others, last * factor)
