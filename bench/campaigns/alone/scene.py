"""The platform of the campaign in a cluster: made, waited for, looked at for what is left, removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from bench.campaigns.alone import stored
from bench.campaigns.alone.platform import NODES, PODS, RANK, RANKS_WANTED, objects, target
from bench.campaigns.kill import slots
from bench.campaigns.kill.platform import Slot
from bench.campaigns.kill.slots import Platforms, demand_healthy, small_platforms
from history.errors import AftershockError
from kube.client import Platform, connect, ready, unless
from kube.wait import until
from runner.cleanup.leftovers import find_leftovers
from target.target import load_target


@contextmanager
def scene(folder: Path, host: dict[str, Any], slower_by: float) -> Iterator[Platforms]:
    """Make the platform in the cluster of the target file ``host``, and remove it at the end; return it by slot.

    Raises AftershockError: it does not get well.
    """
    with small_platforms(folder, host, (PODS, NODES)):
        platforms = {slot.name: connect(_written(folder / f"alone-{slot.name}.yaml", target_of(slot, host))) for slot in (PODS, NODES)}
        _add(platforms[PODS.name])
        demand_well(platforms)
        stored.fill(platforms[PODS.name], slower_by)
        yield platforms


def target_of(slot: Slot, host: dict[str, Any]) -> dict[str, Any]:
    """Return the target file of a slot, with all roles that are hit there."""
    made = target(slot, host)
    return made | {"roles": made["roles"] | {stored.S3: stored.role()}} if slot is PODS else made


def _written(file: Path, text: dict[str, Any]) -> Any:  # noqa: ANN401 - a target
    file.write_text(yaml.safe_dump(text, sort_keys=False))
    return load_target(file)


def _add(platform: Platform) -> None:
    made: Any = objects(platform.target.suite.image)
    store, ranks = made
    with unless(409):
        platform.apps.create_namespaced_deployment(PODS.namespace, store)
    stored.add(platform)
    with unless(409):
        platform.batch.create_namespaced_job(PODS.namespace, ranks)


def demand_well(platforms: Platforms) -> None:
    """Wait until everything is as it should be, and say what is not. Raises AftershockError: it is not, after ten minutes."""
    demand_healthy(platforms, partial(print, flush=True))
    platform = platforms[PODS.name]
    if not until(lambda: sum(ready(pod) for pod in platform.pods(RANK)) == RANKS_WANTED, slots.WELL_S, slots.PAUSE_S):
        raise AftershockError(f"the campaign's ranks are not ready; see kubectl -n {PODS.namespace} get pods")


def left(platform: Platform) -> list[str]:
    """Return what of the suite is still in the cluster, by name: entries of journals, cordons, ended containers, fault pods."""
    found = find_leftovers(platform)
    journals = [f"{entry.kind} {entry.object}" for journal in found.journals for entry in journal.remaining]
    return [*journals, *found.cordons, *found.residues, *found.own_pods]
