"""Sealed documents: JSON that carries the SHA-256 of itself, so that a reader knows whether it is what was written.

The envelope ``{"format", "version", "body", "sha256"}`` is the same for every format and version, so that a newer version is not mistaken
for damage. The digest covers format, version and body in canonical JSON (sorted keys, no spaces).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workloads.storage.errors import SealBroken


@dataclass(frozen=True, slots=True)
class Sealed:
    """An opened document: what it is, in which version, and what it says."""

    format: str
    version: int
    body: dict[str, Any]


def digest(data: bytes) -> str:
    """Return the SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def seal(kind: str, version: int, body: Mapping[str, object]) -> bytes:
    """Return the document as bytes, sealed."""
    content = {"format": kind, "version": version, "body": body}
    return json.dumps({**content, "sha256": digest(_canonical(content))}, indent=1, sort_keys=True).encode()


def unseal(data: bytes, *, verify: bool = True) -> Sealed:
    """Open ``data``; raises SealBroken unless it is exactly what was sealed (``verify=False``: only its form is looked at)."""
    try:
        document = json.loads(data)
        written = document.pop("sha256")
        opened = Sealed(str(document["format"]), int(document["version"]), dict(document["body"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SealBroken(f"not a sealed document: {type(error).__name__} {error} in {len(data)} bytes") from error
    found = digest(_canonical(document))
    if verify and found != written:
        raise SealBroken(f"the document was changed after it was sealed: its SHA-256 is {found[:12]}…, sealed was {str(written)[:12]}…")
    return opened


def _canonical(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
