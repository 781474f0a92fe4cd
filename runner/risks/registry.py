"""What a risk is: a function over how the platform is built, the faults that would prove it, and what it says if it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from history.layout import Layout, RoleLayout
from verdict.words import seconds

POD_LOST = ("faults.pods.kill", "faults.pods.leave")
NODE_LOST = ("faults.nodes.power_off", "faults.nodes.silence")
ZONE_LOST = ("faults.zones.lose", "faults.zones.power_off")
DRAINED = ("faults.nodes.drain",)
HUNG = ("faults.processes.freeze_engine",)
OUT_OF_MEMORY = ("faults.ranks.exhaust_memory",)


class Found(NamedTuple):
    """A risk that is there: the field to look at, what it is, what it would cost; both are sentences."""

    field: str
    says: str
    costs: str


OfRole = Callable[[Layout, RoleLayout], Found | None]


@dataclass(frozen=True, slots=True)
class Risk:
    """One risk of a role: its name, and the faults that would prove it on that role."""

    name: str
    faults: tuple[str, ...]
    function: OfRole


RISKS: list[Risk] = []
"""Every risk whose module was imported, in the order in which they are shown."""


def risk(*faults: str) -> Callable[[OfRole], OfRole]:
    """Register a function as a risk under its own name. ``faults``: those that would prove it, by name."""

    def register(function: OfRole) -> OfRole:
        RISKS.append(Risk(function.__name__.replace("_", "-"), faults, function))
        return function

    return register


def replaced(role: RoleLayout) -> str:
    """Return in words how long a new replica takes, as those that are there took."""
    if not role.ready_s:
        return "as long as a new replica takes, which its pods do not show"
    return f"about {seconds(role.ready_s)} (start {seconds(role.start_s)}, load {seconds(role.load_s)}, as its pods took)"


def after_node(layout: Layout, role: RoleLayout) -> str:
    """Return in words how long it takes until a lost node's replica is back elsewhere."""
    if role.toleration_s == float("inf"):
        return "as long as the node stays away: its pods tolerate that for ever"
    whole = layout.node_monitor_s + role.toleration_s + role.ready_s
    parts = f"{seconds(layout.node_monitor_s)} until the node is called lost, {seconds(role.toleration_s)} of toleration, start and load"
    return f"about {seconds(whole)} ({parts})"
