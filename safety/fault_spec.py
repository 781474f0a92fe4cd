"""What a fault must say of itself, so that preflight can resolve, check and show it before anything happens.

A fault is a plain typed function (a Chaos Toolkit action) under :func:`fault`. Its specification says which objects it will touch
(``resolve``, with the run's seeded randomness), which permissions inject *and* undo need, and its permission tier. At run time the
function takes its targets from the plan (:meth:`safety.active_run.ActiveRun.targets_of`), never by resolving again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from history.errors import ConfigError
from history.plan import ResolvedTarget
from kube.permissions import Permission

if TYPE_CHECKING:
    from kube.client import Platform

Arguments = dict[str, Any]
Action = TypeVar("Action", bound=Callable[..., Any])
LONGEST_S = 86_400.0
Tier = Literal["namespace", "ephemeral", "node"]


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """What preflight knows of a fault.

    ``resolve(platform, arguments, rng)`` returns the objects, by name, in the order in which they will be touched. It raises
    :class:`history.errors.TargetRefused` if a selector is empty or matches nothing.
    ``permissions(platform, arguments)`` returns what inject and undo need.
    ``lasts_s(arguments)`` is how long the fault lasts by itself (0: until undone or at once).
    ``displaces`` says that the pods of a target node must find room on others, if the fault lasts.
    """

    resolve: Callable[[Platform, Arguments, Random], list[ResolvedTarget]]
    permissions: Callable[[Platform, Arguments], list[Permission]]
    tier: Tier
    lasts_s: Callable[[Arguments], float]
    displaces: bool = False


def fault(
    *,
    resolve: Callable[[Platform, Arguments, Random], list[ResolvedTarget]],
    permissions: Callable[[Platform, Arguments], list[Permission]],
    tier: Tier,
    lasts_s: Callable[[Arguments], float] = lambda _arguments: 0.0,
    displaces: bool = False,
) -> Callable[[Action], Action]:
    """Attach a :class:`FaultSpec` to an action; :func:`spec_of` reads it back."""

    def attach(action: Action) -> Action:
        action.__fault__ = FaultSpec(resolve, permissions, tier, lasts_s, displaces)  # type: ignore[attr-defined]  # a label on a function
        return action

    return attach


def spec_of(action: Callable[..., Any]) -> FaultSpec | None:
    """Return the specification of an action, or None if it is no fault of ours."""
    spec = getattr(action, "__fault__", None)
    return spec if isinstance(spec, FaultSpec) else None


def whole_number(what: str, name: str, value: object, most: int) -> int:
    """Return the argument ``name`` of the fault ``what``. Raises ConfigError: ``value`` is not a whole number from 1 to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ConfigError(f"{what}: {name} is {value!r}; write a whole number from 1 to {most}")
    return value


def lasts_for_s(arguments: Arguments) -> float:
    """Return how long a fault lasts whose argument ``for_s`` says it (s)."""
    return float(arguments["for_s"])


def duration_s(what: str, value: object) -> float:
    """Return how long the fault ``what`` lasts (s). Raises ConfigError: ``value`` is not a number above 0 and within a day."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < LONGEST_S:
        said = "the fault must end by itself after a number of seconds above 0, within a day; write for_s: 90"
        raise ConfigError(f"{what}: for_s is {value!r}; {said}")
    return float(value)
