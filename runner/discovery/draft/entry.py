"""Where users come in: of all ways to gateways and engines the one that looks most as if it were made for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.discovery.known.gateways import PICKER, ROUTERS
from runner.discovery.roles import RoleDraft
from runner.discovery.ways_in import Way


class Entry(NamedTuple):
    """A way in, and the role to which it leads."""

    way: Way
    role: RoleDraft


def entries(roles: Sequence[RoleDraft]) -> list[Entry]:
    """Return the ways to the first engine and to what stands before it, the likeliest first."""
    engines = [one for one in roles if one.found.part == "engine"][:1]
    before = [one for one in roles if one.found.part == "gateway" and one.found.known.name != PICKER]
    found = [Entry(way, role) for role in (*before, *engines) for way in role.ways]
    return sorted(found, key=lambda one: (one.way.rank, _distance(one.role)))


def _distance(role: RoleDraft) -> int:
    """Return how far from an engine's users a role is thought to be: a router of models, the engine itself, any other proxy."""
    if role.found.part == "engine":
        return 1
    return 0 if role.found.known.name in ROUTERS else 2
