"""What a fault must say of itself, so that preflight can resolve, check and show it before anything happens.

A fault is a plain typed function (a Chaos Toolkit action) under ``@fault(…)``. That is its one registration: whatever else is said of a
fault is derived from it and from the docstring. At run time the function takes its targets from the plan
(:meth:`safety.active_run.ActiveRun.targets_of`), never by resolving again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from history.errors import ConfigError
from history.plan import ResolvedTarget
from kube.permissions import Permission
from safety.undo_journal import UndoKind

if TYPE_CHECKING:
    from kube.client import Platform

Arguments = dict[str, Any]
Action = TypeVar("Action", bound=Callable[..., Any])
LONGEST_S = 86_400.0
Tier = Literal["namespace", "ephemeral", "node", "cluster"]


class Effect(Enum):
    """What a fault does, as far as the platform's timers are concerned."""

    POD_DELETED = "a pod is gone at once"
    ENGINE_HUNG = "a container lives and does nothing"
    DEVICE_LOST = "a replica ends, and cannot start without its device"
    NODE_LOST = "nothing on a node answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class KillTrial:
    """How ``bench.campaigns.kill`` tries a fault: the suite is ended while the fault acts, and what of it outlives its time is looked for.

    ``on``: what it hits of the campaign's small platforms, a Deployment of HTTP servers with an engine process each.
    ``arguments``: those of the fault and of its probes, besides the role, the activity and ``for_s``.
    ``lasting``: the probes that say of one target that the fault still acts. None: the first evidence, if it lasts for ``for_s`` seconds.
    ``left_out``: why the campaign cannot try it.
    """

    on: Literal["pods", "nodes", "devices"] = "pods"
    arguments: Mapping[str, object] = field(default_factory=dict)
    lasting: tuple[str, ...] | None = None
    left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec:
    """What a fault says of itself, once: preflight, the plan, permissions and docs/faults.md all read it here.

    ``resolve(platform, arguments, rng)`` returns the objects, by name, in the order in which they will be touched. It raises
    :class:`history.errors.TargetRefused` if a selector is empty or matches nothing.
    ``permissions(platform, arguments)`` returns what inject, undo and evidence need.
    ``lasts_s(arguments)`` is how long the fault lasts by itself (0: until undone or at once).
    ``ends`` says what ends it; an argument may stand in it, as in ``{for_s:g}``.
    ``undo``: the kinds of its journal entries.
    ``evidence``: the probes that can prove it, the most direct first, by name: ``probes.pods.gone``.
    ``effect``: what timers bound its recovery. None: no timer does.
    ``graceful`` says that it ends nothing that has something in hand before its grace is over: a user whose request is under way may not
    be hurt. A kill, a freeze or a cut never is.
    ``displaces`` says that the pods of a target node must find room on others, if the fault lasts.
    ``fidelity`` says, where it is a substitute, for what and how it differs.
    ``instead_of``: the actions of chaosk8s whose place it takes.
    ``on_engine`` says that it acts on the engine process of its role, so the target must say how that is recognised.
    ``chaos_mesh``: the chaos that makes it where the target's region has Chaos Mesh, in words. Empty: none is equal to it.
    ``takes_away``: the instruments of the suite that cannot answer while it acts, as the history calls them. Their silence meanwhile is
    the fault itself: it stops no run and leaves no verdict open. Any other silence of theirs does, as everywhere.
    ``killed``: how the kill campaign tries it; it need not be said of a fault on pods whose other arguments have defaults.
    """

    resolve: Callable[[Platform, Arguments, Random], list[ResolvedTarget]]
    permissions: Callable[[Platform, Arguments], list[Permission]]
    tier: Tier
    lasts_s: Callable[[Arguments], float] = lambda _arguments: 0.0
    ends: str = ""
    undo: tuple[UndoKind, ...] = (UndoKind.NOTHING,)
    evidence: tuple[str, ...] = ()
    effect: Effect | None = None
    graceful: bool = False
    displaces: bool = False
    fidelity: str = ""
    instead_of: tuple[str, ...] = ()
    on_engine: bool = False
    chaos_mesh: str = ""
    takes_away: tuple[str, ...] = ()
    killed: KillTrial = field(default_factory=KillTrial)

    def __call__(self, action: Action) -> Action:
        """Register an action as a fault; :func:`spec_of` reads this back."""
        action.__fault__ = self  # type: ignore[attr-defined]  # a label on a function
        REGISTERED[f"{action.__module__}.{action.__name__}"] = action
        return action


fault = FaultSpec  # as a decorator
REGISTERED: dict[str, Callable[..., Any]] = {}
"""Every fault whose module was imported, by name."""


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
