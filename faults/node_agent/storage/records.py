"""Sealed records: JSON that carries the SHA-256 of itself, and in ``body.files`` that of each file that it lists.

Checkpoint manifests and records of training data are such. The digest covers all but itself, with sorted keys and without spaces.
"""

from __future__ import annotations

import hashlib
import json


def digest(data: bytes) -> str:
    """Return the SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def files_of(record: bytes) -> dict[str, str]:
    """Return the SHA-256 of each file that a record lists. Raises ValueError: it is no record, or was changed after it was sealed."""
    try:
        document = json.loads(record)
        sealed = document.pop("sha256")
        files = {str(name): str(entry["sha256"]) for name, entry in document["body"]["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no sealed record: {type(error).__name__} {error} in {len(record)} bytes") from error
    if digest(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()) != sealed:
        raise ValueError("the record was changed after it was sealed")
    return files
