"""Which roles an experiment moves away from their nodes in an orderly way, as maintenance does."""

from __future__ import annotations

from collections.abc import Iterator

from runner.experiment.catalogue import fault_of
from runner.experiment.experiment import Experiment
from target.target import Target

DRAIN_BUDGET_S = 900.0  # where a role names none: after 15 min EKS ends the drain of a node by force


def drains(experiment: Experiment) -> Iterator[str]:
    """Yield the name of each role whose nodes a fault of the method drains: it lets pods finish, and they must find room elsewhere."""
    for action in experiment.document.method:
        spec, name = fault_of(action.provider), action.provider.arguments.get("role")
        if spec is not None and spec.graceful and spec.displaces and isinstance(name, str):
            yield name


def drain_budget_s(experiment: Experiment, target: Target) -> float | None:
    """Return how long a planned move of pods may take (s), the shortest of the roles whose nodes are drained; None: none is."""
    if experiment.settings.fault != "fault":
        return None
    given = [target.roles[name].drain_budget for name in drains(experiment) if name in target.roles]
    return min((DRAIN_BUDGET_S if one is None else one for one in given), default=None)
