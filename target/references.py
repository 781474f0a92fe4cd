"""Names in a target file that lead nowhere, and regions that are one. Names of a class of workload are for the model of its kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from target.mistakes import Refusal

if TYPE_CHECKING:
    from target.target import Target


def loose_ends(target: Target) -> Iterator[Refusal]:
    """Yield every name that leads nowhere: its keys, and a sentence."""
    yield from _twice(target)
    for name, role in target.roles.items():
        for number, region in enumerate(role.regions):
            if region not in target.regions:
                yield ("roles", name, "regions", number), f"{region!r} is not under regions"
    if all(region.prometheus is None for region in target.regions.values()) and any(one.promql for one in target.stop_when):
        yield ("stop_when",), "promql needs prometheus, of a region"


def _twice(target: Target) -> Iterator[Refusal]:
    """Two regions with one context or one server are one cluster: it would be touched twice as much as its limits say."""
    seen: dict[tuple[str, str], str] = {}
    for name, region in target.regions.items():
        for key, value in (("context", f"{region.context} of {region.kubeconfig}"), ("server", region.server.rstrip("/"))):
            first = seen.setdefault((key, value), name)
            if first != name:
                yield (
                    ("regions", name, key),
                    f"{getattr(region, key)!r} is the {key} of region {first}, too; a region is a cluster of its own",
                )
