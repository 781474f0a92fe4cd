"""``${values}`` in an experiment: from the target file, overridden by the experiment's own configuration."""

from __future__ import annotations

from typing import Any

from chaoslib import substitute
from chaoslib.configuration import load_configuration
from chaoslib.exceptions import InvalidExperiment

from runner.experiment.experiment import Experiment
from target.target import Target


def configuration_of(experiment: Experiment, target: Target) -> dict[str, Any]:
    """Return what ``${values}`` stand for.

    Raises:
        ConfigError: the file asks for an environment variable that is not set.

    """
    try:
        own = load_configuration(experiment.raw.get("configuration", {}))
    except InvalidExperiment as error:
        raise experiment.located.error(("configuration",), str(error)) from error
    return dict(target.configuration()) | dict(own)


def filled(arguments: dict[str, object], experiment: Experiment, target: Target) -> dict[str, object]:
    """Return ``arguments`` with their ``${values}`` filled in (same errors as :func:`configuration_of`)."""
    done: dict[str, object] = substitute(arguments, configuration_of(experiment, target), {}) or {}
    return done
