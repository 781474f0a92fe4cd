"""What the kill campaign does to its small platforms: every registered fault, in the way that its registration says.

See :class:`safety.fault_spec.KillTrial`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from history.errors import ConfigError
from runner.experiment.catalogue import all_faults, function_named
from safety.fault_spec import FaultSpec

ACTION = "act"
FOR_S = {"pods": 8, "nodes": 15, "devices": 15}
KIND: dict[str, Literal["Pod", "Node", "Device"]] = {"pods": "Pod", "nodes": "Node", "devices": "Device"}
ROLE = {"pods": "victim", "nodes": "victim", "devices": "device"}


@dataclass(frozen=True, slots=True)
class Family:
    """One fault, and what it and its probes are called with. ``on``: what it hits; ``lasting``: the probes that say that it still acts."""

    name: str
    arguments: Mapping[str, object]
    on: Literal["pods", "nodes", "devices"]
    evidence: str
    lasting: tuple[str, ...]

    @property
    def kind(self) -> Literal["Pod", "Node", "Device"]:
        """The kind of the targets on which its effect can be seen."""
        return KIND[self.on]

    def arguments_of(self, name: str) -> dict[str, object]:
        """Return what its fault, or one of its probes, is called with. Raises ConfigError: something that it needs is not known."""
        taken = inspect.signature(function_named(name)).parameters
        lacking = [one.name for one in taken.values() if one.default is inspect.Parameter.empty and one.name not in self.arguments]
        if lacking:
            raise ConfigError(
                f"fault {self.name}: the kill campaign cannot call {name} without {', '.join(lacking)}; give them in its registration, "
                "killed=KillTrial(arguments={...}), or say why it is left out: KillTrial(left_out=...)"
            )
        return {key: value for key, value in self.arguments.items() if key in taken}

    def provider(self, name: str) -> dict[str, Any]:
        """Return the provider that calls its fault, or one of its probes, as an experiment file has it. Raises as :meth:`arguments_of`."""
        module, _, func = name.rpartition(".")
        return {"type": "python", "module": module, "func": func, "arguments": self.arguments_of(name)}


def families() -> dict[str, Family]:
    """Return every registered fault that the campaign tries, by name.

    Raises:
        ConfigError: the registration of one says neither what it is called with, nor why it is left out.

    """
    found = {name: _family(name, spec) for name, spec in all_faults().items() if not spec.killed.left_out}
    for name, family in found.items():
        for callee in (name, family.evidence, *family.lasting):
            family.arguments_of(callee)
    return found


def _family(name: str, spec: FaultSpec) -> Family:
    trial = spec.killed
    arguments = {"role": ROLE[trial.on], "activity": ACTION, "for_s": FOR_S[trial.on], **trial.arguments}
    lasts = "for_s" in inspect.signature(function_named(name)).parameters
    lasting = trial.lasting if trial.lasting is not None else spec.evidence[: int(lasts)]
    return Family(name, arguments, trial.on, spec.evidence[0], lasting)


def experiment_file(folder: Path, name: str) -> Path:
    """Return where a campaign keeps the experiment of one family: a folder each, since a session refuses what its target cannot do."""
    word = name.removeprefix("faults.").replace(".", "-").replace("_", "-")
    return folder / "experiments" / word / f"{word}.yaml"


def experiment(name: str) -> dict[str, Any]:
    """Return the experiment of one family: short, with a hypothesis that holds whatever users feel: not they are tested here."""
    family = families()[name]
    ratio = {"type": "python", "module": "probes.users", "func": "good_ratio", "arguments": {"window_s": 2}}
    served = {"type": "probe", "name": "served", "tolerance": {"type": "range", "range": [0, 1]}, "provider": ratio}
    seen = {"type": "probe", "name": "seen", "tolerance": True, "provider": family.provider(family.evidence)}
    ours = {
        "name": "aftershock",
        "workload": "realtime-inference",
        "budgets": {"rto": "60s"},
        "evidence": [seen],
        "deadline": "12s",
        "hold": "2s",
        "allow": {"last_replica": True, "share_of_role": True, "without_capacity": True},
    }
    return {
        "title": name,
        "description": "The kill campaign's.",
        "tags": ["kill"],
        "steady-state-hypothesis": {
            "title": "anything goes",
            "probes": [served],
        },
        "method": [{"type": "action", "name": ACTION, "provider": family.provider(name)}],
        "extensions": [ours],
    }
