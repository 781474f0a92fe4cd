"""The small platforms of the kill campaign and of its kin: made in a cluster, waited for, cleared of records, removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client

from bench.campaigns.kill.families import experiment, experiment_file, families
from bench.campaigns.kill.platform import CONSENT, SLOTS, SUITE, Slot, deployments, target
from history.errors import AftershockError
from kube.client import Platform, connect, unless
from kube.wait import until
from runner.cleanup.cleanup import clean_up
from runner.cleanup.leftovers import find_leftovers
from runner.preflight.platform_health import complaints, look
from safety.reaper_job import runs as reapers
from target.target import load_target

HEALTHY_S, WELL_S, PAUSE_S = 150.0, 600.0, 1.0
Platforms = dict[str, Platform]


@contextmanager
def small_platforms(folder: Path, host: dict[str, Any], slots: Sequence[Slot] = SLOTS) -> Iterator[Platforms]:
    """Make the small platforms ``slots`` in the cluster of the target file ``host``, and remove them at the end.

    ``folder`` gets their target files (``<slot>.yaml``) and the experiments (:func:`bench.campaigns.kill.families.experiment_file`).
    """
    write_files(folder, host)
    platforms = {slot.name: connect(load_target(folder / f"{slot.name}.yaml")) for slot in slots}
    any_of_them = next(iter(platforms.values()))
    try:
        set_up(any_of_them, slots)
        clear(platforms)  # what a campaign that was itself killed has left
        yield platforms
    finally:
        remove(any_of_them)


def write_files(folder: Path, host: dict[str, Any]) -> None:
    """Write the experiments and target files."""
    for name in families():
        file = experiment_file(folder, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(experiment(name), sort_keys=False))
    for slot in SLOTS:
        (folder / f"{slot.name}.yaml").write_text(yaml.safe_dump(target(slot, host), sort_keys=False))


def set_up(platform: Platform, slots: Sequence[Slot]) -> None:
    """Make the namespaces and small platforms, as far as they are not there."""
    for namespace, labels in [(SUITE, {}), *((slot.namespace, CONSENT) for slot in slots)]:
        meta = client.V1ObjectMeta(name=namespace, labels=labels)
        with unless(409):
            platform.core.create_namespace(client.V1Namespace(metadata=meta))
    for slot in slots:
        for body in deployments(slot, platform.target.suite.image):
            made: Any = body
            with unless(409):
                platform.apps.create_namespaced_deployment(slot.namespace, made)


def remove(platform: Platform) -> None:
    """Remove what :func:`set_up` made, and wait until it is gone: other runs refuse to break nodes on which strangers' pods run."""
    names = {SUITE, *(slot.namespace for slot in SLOTS)}
    for name in sorted(names):
        with unless(404, 409):
            platform.core.delete_namespace(name)
    until(lambda: not names & {space.metadata.name for space in platform.core.list_namespace().items if space.metadata}, HEALTHY_S, PAUSE_S)


def demand_healthy(platforms: Platforms, say: Callable[[str], None] = lambda _: None) -> None:
    """Wait until every small platform is well; ``say`` hears what is not, each time that it changes.

    Raises AftershockError: one is not well after 10 min.
    """
    until_s, said = time.monotonic() + WELL_S, list[str]()
    while wrong := [text for platform in platforms.values() for text in complaints(platform, look(platform))]:
        if wrong != said:
            say(f"not well yet: {'; '.join(wrong)}")
            said = wrong
        if time.monotonic() > until_s:
            raise AftershockError(f"the campaign's platforms are not well: {'; '.join(wrong)}; see kubectl get pods -A")
        time.sleep(PAUSE_S)


def clear(platforms: Platforms) -> tuple[list[str], list[str]]:
    """Let heal clear the records, twice; return what a look finds after that (leftovers), and what heal did."""
    platform = next(iter(platforms.values()))
    done = clean_up(platform).done
    clean_up(platform)
    after = find_leftovers(platform)
    left = [journal.name for journal in after.journals] + [*after.orphaned_cordons, *after.residues, *after.own_pods]
    return left + sorted(reapers(platform)), done
