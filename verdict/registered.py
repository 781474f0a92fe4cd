"""Everything that measures and checks, in the order in which people read it. Importing this module registers it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from history.kinds import EVERY
from verdict.shared import registry
from verdict.shared.registry import CheckSpec, Measure

ORDER = tuple(
    f"verdict.{name}"
    for name in (
        "shared.users",
        "requests.interval",
        "requests.availability",
        "requests.outlived",
        "requests.reasons",
        "requests.interrupted",
        "requests.answers",
        "requests.client_retries",
        "shared.differing",
        "requests.latency",
        "shared.detection",
        "shared.platform",
        "shared.phases",
        "requests.queue",
        "training.measures",
        "training.goodput",
        "training.restore",
        "training.phases",
        "training.pods",
        "async_inference.measures",
        "shared.checks_record",
        "requests.checks_load",
        "requests.exposure",
        "training.checks",
        "training.checks_state",
        "training.checks_after",
        "async_inference.checks",
        "shared.checks_before",
        "requests.recovery_time",
        "requests.checks_budgets",
        "requests.checks_hurt",
        "shared.watched",
        "shared.drainable",
        "shared.alerts",
        "requests.checks_answers",
        "shared.checks_after",
    )
)
"""Modules in the order in which people read what they register; within one, as it is written. One that is not named here comes last."""
PLACES = {name: place for place, name in enumerate(ORDER)}
NO_CHECKS = frozenset({"inputs", "advice"})
"""The folders whose modules register nothing: they prepare a run, or read causes from what was judged."""
Registered = TypeVar("Registered", Measure, CheckSpec)


def modules() -> Iterator[str]:
    """Yield every module that may measure or check: those of the folders of ``verdict``, one for each kind of workload and the shared."""
    here = Path(__file__).parent
    for folder in pkgutil.iter_modules([str(here)]):
        if folder.ispkg and folder.name not in NO_CHECKS:
            yield from (f"verdict.{folder.name}.{module.name}" for module in pkgutil.iter_modules([str(here / folder.name)]))


for _module in modules():
    importlib.import_module(_module)


def all_measures() -> tuple[Measure, ...]:
    """Return every measurement."""
    return _ordered(registry.MEASURES)


def all_checks() -> tuple[CheckSpec, ...]:
    """Return every check."""
    return _ordered(registry.CHECKS)


def measures_of(kind: str) -> tuple[Measure, ...]:
    """Return the measurements of a workload of ``kind``."""
    return tuple(measure for measure in all_measures() if measure.kind in {kind, EVERY})


def checks_of(kind: str) -> tuple[CheckSpec, ...]:
    """Return the checks of a workload of ``kind``."""
    return tuple(check for check in all_checks() if check.kind in {kind, EVERY})


def check_named(name: str) -> CheckSpec | None:
    """Return the check ``name``, if there is one. Checks of one name, for several kinds of workload, are called and weighed alike."""
    return next((check for check in registry.CHECKS if check.name == name), None)


def _ordered(known: list[Registered]) -> tuple[Registered, ...]:
    return tuple(sorted(known, key=lambda one: (PLACES.get(one.function.__module__, len(ORDER)), one.function.__module__)))
