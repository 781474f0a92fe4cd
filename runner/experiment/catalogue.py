"""The functions that an experiment names: they must import, fit their arguments, and, in the method, be faults of ours."""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

from chaoslib.activity import ensure_activity_is_valid
from chaoslib.exceptions import ChaosException
from chaoslib.experiment import ensure_experiment_is_valid
from chaoslib.hypothesis import ensure_hypothesis_tolerance_is_valid

import faults
import probes
from runner.experiment.format import Action, PythonProvider
from safety.fault_spec import REGISTERED, FaultSpec, spec_of
from target.yaml_source import Keys, Located

# What a module can raise while it is imported, short of ending the process.
IMPORT_ERRORS = (
    ImportError,
    SyntaxError,
    AttributeError,
    NameError,
    TypeError,
    ValueError,
    LookupError,
    OSError,
    RuntimeError,
)

ANSWERS = ("bool", "int", "float")  # annotations, as they are written
PLAIN = ("str", *ANSWERS)

RENAMED = {
    "faults.engine": "faults.processes",
    "faults.gpu": "faults.gpus",
    "faults.storage": "faults.checkpoints",
    "faults.training": "faults.ranks",
    "faults.zone": "faults.zones",
    "probes.engine": "probes.processes",
    "probes.gpu": "probes.gpus",
    "probes.record": "probes.events",
}
"""Provider modules by the names that files of schema 1 may still use -> where their functions are now."""

logging.getLogger("chaostoolkit").addHandler(logging.NullHandler())


def rename_providers(data: object) -> None:
    """Let every provider of ``data`` name its module as it is called today; in place."""
    for part in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        rename_providers(part)
    provider = data.get("provider") if isinstance(data, dict) else None
    if isinstance(provider, dict) and isinstance(module := provider.get("module"), str):
        provider["module"] = RENAMED.get(module, module)


def check_provider(located: Located, keys: Keys, raw: dict[str, Any]) -> None:
    """Refuse an activity whose function does not import or whose arguments do not fit.

    Raises:
        ConfigError: at the line of the provider or of the tolerance.

    """
    provider = raw["provider"]
    try:
        importlib.import_module(provider["module"])
    except IMPORT_ERRORS as error:
        sentence = f"module {provider['module']!r} does not import: {type(error).__name__}: {error}"
        raise located.error((*keys, "provider", "module"), sentence) from error
    try:
        ensure_activity_is_valid(raw)
    except (ChaosException, TypeError) as error:
        raise located.error((*keys, "provider", "func"), str(error)) from error
    try:
        if "tolerance" in raw:
            ensure_hypothesis_tolerance_is_valid(raw["tolerance"])
    except (ChaosException, TypeError) as error:
        raise located.error((*keys, "tolerance"), str(error)) from error


def function_named(name: str) -> Callable[..., object]:
    """Return a fault, a probe or another function by its full name; its module imports."""
    module, _, func = name.rpartition(".")
    function: Callable[..., Any] = REGISTERED.get(name) or getattr(importlib.import_module(module), func)
    return function


def function_of(provider: PythonProvider) -> Callable[..., object]:
    """Return the function that a checked provider names."""
    return function_named(provider.name)


def fault_of(provider: PythonProvider) -> FaultSpec | None:
    """Return what a checked provider's fault says of itself, or None if it is no fault of ours."""
    return spec_of(function_of(provider))


def faults_in(method: Iterable[Action]) -> list[tuple[Action, FaultSpec]]:
    """Return the actions of a method that are faults of ours, each with what it says of itself."""
    return [(action, spec) for action in method if (spec := fault_of(action.provider))]


def taken_away(method: Iterable[Action]) -> tuple[str, ...]:
    """Return the instruments that the faults of a method take away while they act, as they are registered."""
    return tuple(dict.fromkeys(name for _, spec in faults_in(method) for name in spec.takes_away))


def ends(action: Action) -> str:
    """Return what ends an action's fault, and after how long, in words; ``–``: it is no fault of ours."""
    spec, arguments = fault_of(action.provider), action.provider.arguments
    if spec is None:
        return "–"
    said, lasts_s = spec.ends.format(**arguments), spec.lasts_s(arguments)
    return f"{lasts_s:g} s; {said}" if lasts_s and "{" not in spec.ends else said


def all_faults() -> dict[str, FaultSpec]:
    """Return what every fault of :mod:`faults` says of itself, by name, sorted."""
    for module in pkgutil.iter_modules(faults.__path__, "faults."):
        importlib.import_module(module.name)
    ours = ((name, spec_of(function)) for name, function in sorted(REGISTERED.items()) if name.startswith("faults."))
    return {name: spec for name, spec in ours if spec is not None}


def all_probes() -> dict[str, Callable[..., object]]:
    """Return every probe of :mod:`probes`, by name, sorted: each public function that an experiment can call and whose answer it can judge.

    That is: plain arguments only, and a number or yes or no comes back. Whatever else is public there serves other modules.
    """
    modules = [importlib.import_module(module.name) for module in pkgutil.iter_modules(probes.__path__, "probes.")]
    found = [(f"{module.__name__}.{name}", function) for module in modules for name, function in inspect.getmembers(module, _is_probe)]
    return {name: function for name, function in sorted(found) if name.startswith(f"{function.__module__}.")}


def _is_probe(thing: object) -> bool:
    if not inspect.isfunction(thing) or thing.__name__.startswith("_"):
        return False
    signature = inspect.signature(thing)
    return signature.return_annotation in ANSWERS and all(one.annotation in PLAIN for one in signature.parameters.values())


def replacement_of(action: str) -> str | None:
    """Return the fault of ours that takes the place of an action of chaosk8s, by name; None if none does."""
    return next((name for name, spec in all_faults().items() if action in spec.instead_of), None)


def check_fault(located: Located, keys: Keys, provider: PythonProvider) -> None:
    """Refuse an action that is no fault of ours: it would act without resolved targets, undo and evidence.

    Raises:
        ConfigError: at the line of the function's name; it names our fault that does the same, if there is one.

    """
    if fault_of(provider) is not None:
        return
    ours = replacement_of(provider.func) if provider.module.startswith("chaosk8s") else None
    next_step = (
        f"use {ours}, which does the same within the blast radius"
        if ours
        else "use a function of faults/ (declared with safety.fault_spec.fault)"
    )
    raise located.error(
        (*keys, "provider", "func"), f"{provider.name} is not a fault of this suite, so nothing would bound or undo it; {next_step}"
    )


def check_chaoslib(located: Located) -> None:
    """Refuse what Chaos Toolkit itself would (``chaos validate``).

    Raises:
        ConfigError: at the first line, since Chaos Toolkit does not say where.

    """
    try:
        ensure_experiment_is_valid(located.data)
    except (ChaosException, TypeError, KeyError, AttributeError) as error:
        raise located.error((), f"Chaos Toolkit refuses it: {error}") from error
