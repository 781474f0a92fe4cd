"""A store of objects by key, as training and restore see it: a folder or a bucket behind six methods."""

import time
from collections.abc import Callable
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from workloads.storage.errors import StoreRefused, StoreUnavailable

_PAUSE_S = 0.5


class Store(Protocol):
    """Objects by key (``/`` separates, no leading one).

    Every method raises StoreUnavailable in an outage and StoreRefused on a wrong configuration.
    """

    url: str

    def preflight(self) -> None:
        """Raise StoreRefused, in one sentence, if this store can never do its work as it is configured."""

    def put(self, key: str, data: bytes) -> None:
        """Store ``data`` whole or not at all; durable when it returns."""

    def create(self, key: str, data: bytes) -> bool:
        """Store ``data`` if there is no such key yet and return whether it did; of several callers one wins."""

    def get(self, key: str) -> bytes:
        """Return the object; raises ObjectMissing, or ObjectDamaged if the store noticed damage by itself."""

    def listing(self, prefix: str = "") -> list[str]:
        """List all keys that start with ``prefix``, sorted."""

    def delete(self, key: str) -> None:
        """Remove the object; no error if there is none."""


def once_available(action: Callable[[], None], wait_s: float) -> None:
    """Do something as soon as the store works; after ``wait_s`` seconds raise the last StoreUnavailable."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return action()
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_S)


def open_store(url: str, *, fsync: bool = True, versioning: bool = True, before_rename: Callable[[str], None] | None = None) -> Store:
    """Return the store that ``url`` names; nothing is contacted yet.

    ``file:///folder`` (must exist) or ``s3://bucket/prefix?endpoint=http://host:port&region=name`` (credentials from AWS's environment
    variables). ``fsync=False`` and ``versioning=False`` (do not demand bucket versioning) are weaknesses to test with. ``before_rename``
    is called with the key before an object of a folder gets its name. Raises StoreRefused for any other URL.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        from workloads.storage.folder import FolderStore  # noqa: PLC0415  the other kind needs boto3, which a folder should not wait for

        return FolderStore(parts.path, fsync=fsync, before_rename=before_rename)
    if parts.scheme == "s3" and parts.netloc:
        from workloads.storage.s3 import S3Store  # noqa: PLC0415

        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        return S3Store(parts.netloc, parts.path.strip("/"), query.get("endpoint"), query.get("region", "us-east-1"), versioning=versioning)
    raise StoreRefused(f"store {url!r}: expected file:///folder or s3://bucket/prefix?endpoint=http://host:port; correct the address")
