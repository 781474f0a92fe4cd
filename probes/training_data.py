"""Evidence about training data: read from the storage servers' disks, not from what the injector says."""

from __future__ import annotations

import json

from history.errors import NoData
from history.plan import ResolvedTarget
from probes.targets import output
from safety import active_run
from target import reference_platform as storage


def damaged(activity: str, role: str) -> bool:
    """Tell whether, on every target's disk, the data differ from the SHA-256 that their record says. Raises NoData: they cannot be read."""
    return all(_differs(target, role) for target in active_run.require().targets_of(activity))


def _differs(target: ResolvedTarget, role: str) -> bool:
    file, folder = storage.DATA_FILE, storage.DATA
    line = f"sha256sum {folder}/{file} && cat {folder}/{storage.DATA_RECORD}"
    digest, _, record = output(target, role, ["sh", "-c", line]).partition("\n")
    try:
        return bool(digest.split()[0] != json.loads(record)["body"]["files"][file]["sha256"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise NoData(f"pod {target.namespace}/{target.name}: {folder} holds no data with a record: {record[-200:]!r}") from error
