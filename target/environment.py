"""The target handed on to another program of the suite, in its environment: what reaching the platform takes, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping

from target.target import Target

NAME = "AFTERSHOCK_TARGET_JSON"  # AFTERSHOCK_TARGET is a person's: the path of a target file
LEFT_OUT: dict[str, object] = {"workloads": {}, "stop_when": ()}
OF_REGION: dict[str, object] = {"endpoints": {}, "machines": None, "gpus": None, "chaos_mesh": None, "prometheus": None, "alerts": None}


def environment_of(target: Target) -> dict[str, str]:
    """Return the variable that hands ``target`` on: no endpoint, header or driver is in it."""
    regions = {name: region.model_copy(update=OF_REGION) for name, region in target.regions.items()}
    return {NAME: target.model_copy(update=LEFT_OUT | {"regions": regions}).model_dump_json(by_alias=True)}


def target_of(environment: Mapping[str, str]) -> Target:
    """Return the target that was handed on."""
    return Target.model_validate_json(environment[NAME])
