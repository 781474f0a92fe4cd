"""Evidence about training data: read from the storage servers' disks, not from what the injector says."""

from __future__ import annotations

import json

from history.errors import NoData
from history.plan import ResolvedTarget
from kube.container_exec import output_of
from safety import active_run

FOLDER = "/data/objects/training/data"
FILE, RECORD = "dataset.safetensors", "dataset.json"


def damaged(activity: str, role: str) -> bool:
    """Tell whether, on every target's disk, the data differ from the SHA-256 that their record says. Raises NoData: they cannot be read."""
    return all(_differs(target, role) for target in active_run.require().targets_of(activity))


def _differs(target: ResolvedTarget, role: str) -> bool:
    found, _, record = _inside(target, role, f"sha256sum {FOLDER}/{FILE} && cat {FOLDER}/{RECORD}").partition("\n")
    try:
        return bool(found.split()[0] != json.loads(record)["body"]["files"][FILE]["sha256"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise NoData(f"pod {target.namespace}/{target.name}: {FOLDER} holds no data with a record: {record[-200:]!r}") from error


def _inside(target: ResolvedTarget, role: str, line: str) -> str:
    run = active_run.require()
    container = run.platform.target.role(role).container
    if container is None:
        raise NoData(f"data on {target.name}: role {role} names no container")
    return output_of(run.platform, target.name, target.namespace or "", container, ["sh", "-c", line])
