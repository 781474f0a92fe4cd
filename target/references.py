"""Names in a target file that lead nowhere, and regions that are one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from target.workload import MISSING, WorkloadClass
from target.yaml_source import Keys

if TYPE_CHECKING:
    from target.target import Target

LooseEnd = tuple[Keys, str]


def loose_ends(target: Target) -> Iterator[LooseEnd]:
    """Yield every name that leads nowhere: its keys, and a sentence."""
    yield from _twice(target)
    for name, role in target.roles.items():
        for number, region in enumerate(role.regions):
            if region not in target.regions:
                yield ("roles", name, "regions", number), f"{region!r} is not under regions"
    for name, workload in target.workloads.items():
        yield from ((("workloads", name, *keys), sentence) for keys, sentence in _of_workload(target, workload))
    if all(region.prometheus is None for region in target.regions.values()) and any(one.promql for one in target.stop_when):
        yield ("stop_when",), "promql needs prometheus, of a region"


def _twice(target: Target) -> Iterator[LooseEnd]:
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


def _of_workload(target: Target, workload: WorkloadClass) -> Iterator[LooseEnd]:
    if workload.role not in target.roles:
        yield ("role",), f"{workload.role!r} is not under roles"
    if workload.requests_load is not None:
        yield from _endpoint(target, workload)
    if workload.job is not None and not workload.job.storage:
        yield ("job", "storage"), MISSING
    elif workload.job is not None and workload.job.storage not in target.roles:
        yield ("job", "storage"), f"{workload.job.storage!r} is not under roles"


def _endpoint(target: Target, workload: WorkloadClass) -> Iterator[LooseEnd]:
    keys, endpoint = ("load", "endpoint"), workload.load.endpoint
    if not endpoint:
        yield keys, MISSING
        return
    of_role = target.regions_of(workload.role) if workload.role in target.roles else ()
    lacking = [name for name in of_role or target.regions if name in target.regions and endpoint not in target.regions[name].endpoints]
    if lacking:
        where = "" if len(target.regions) == 1 else f" of {' and '.join(lacking)}, where role {workload.role} is"
        yield keys, f"{endpoint!r} is not under endpoints{where}"
