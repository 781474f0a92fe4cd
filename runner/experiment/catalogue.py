"""The functions that an experiment names: they must import, fit their arguments, and, in the method, be faults of ours."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Any

from chaoslib.activity import ensure_activity_is_valid
from chaoslib.exceptions import ChaosException
from chaoslib.experiment import ensure_experiment_is_valid
from chaoslib.hypothesis import ensure_hypothesis_tolerance_is_valid

from runner.experiment.format import PythonProvider
from safety.fault_spec import FaultSpec, spec_of
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

WRAPPERS = {
    "terminate_pods": "faults.pods.kill",
    "delete_pods": "faults.pods.kill",
    "exec_in_pods": "faults.processes.kill_engine",
    "cordon_node": "faults.nodes.cordon",
    "drain_nodes": "faults.nodes.drain",
}
"""chaosk8s action -> the fault of ours that calls it, with checks of targets and effect."""

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


def function_of(provider: PythonProvider) -> Callable[..., object]:
    """Return the function that a checked provider names."""
    function: Callable[..., Any] = getattr(importlib.import_module(provider.module), provider.func)
    return function


def fault_of(provider: PythonProvider) -> FaultSpec | None:
    """Return what a checked provider's fault says of itself, or None if it is no fault of ours."""
    return spec_of(function_of(provider))


def check_fault(located: Located, keys: Keys, provider: PythonProvider) -> None:
    """Refuse an action that is no fault of ours: it would act without resolved targets, undo and evidence.

    Raises:
        ConfigError: at the line of the function's name; it names our fault that does the same, if there is one.

    """
    if fault_of(provider) is not None:
        return
    name = f"{provider.module}.{provider.func}"
    ours = WRAPPERS.get(provider.func) if provider.module.startswith("chaosk8s") else None
    next_step = (
        f"use {ours}, which calls it within the blast radius"
        if ours
        else "use a function of faults/ (declared with safety.fault_spec.fault)"
    )
    raise located.error((*keys, "provider", "func"), f"{name} is not a fault of this suite, so nothing would bound or undo it; {next_step}")


def check_chaoslib(located: Located) -> None:
    """Refuse what Chaos Toolkit itself would (``chaos validate``).

    Raises:
        ConfigError: at the first line, since Chaos Toolkit does not say where.

    """
    try:
        ensure_experiment_is_valid(located.data)
    except (ChaosException, TypeError, KeyError, AttributeError) as error:
        raise located.error((), f"Chaos Toolkit refuses it: {error}") from error
