"""Stored files and the sealed record that lists them, read in a storage server's container: by ``cat`` and ``sha256sum``."""

from __future__ import annotations

import json

from history.errors import NoData
from history.plan import ResolvedTarget
from probes.targets import output
from safety import active_run
from target.object_store import Recorded, store_of


def all_differ(activity: str, role: str, files: Recorded) -> bool:
    """Tell whether, on every target's disk, ``files`` differ from the SHA-256 in their record. Raises NoData: they cannot be read."""
    run = active_run.require()
    folder = store_of(run.platform.target.role(role).object_store, role).buckets
    return all(differing(target, role, f"{folder}/{files.folder}", files.record) for target in run.targets_of(activity))


def differing(target: ResolvedTarget, role: str, folder: str, record: str) -> list[str]:
    """Return the files in ``folder`` of a target's container whose SHA-256 is not the one that ``record``, in the same folder, says.

    Raises:
        NoData: a file is not there or cannot be read, or the record lists none.

    """
    text = output(target, role, ["cat", f"{folder}/{record}"])
    try:
        listed = {str(name): str(entry["sha256"]) for name, entry in json.loads(text)["body"]["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoData(f"pod {target.namespace}/{target.name}: {folder}/{record} is no record of files: {text[-200:]!r}") from error
    if not listed:
        raise NoData(f"pod {target.namespace}/{target.name}: {folder}/{record} lists no file")
    sums = output(target, role, ["sha256sum", *(f"{folder}/{name}" for name in listed)]).splitlines()
    return [name for (name, sha256), line in zip(listed.items(), sums, strict=True) if line.split()[0].lstrip("\\") != sha256]
