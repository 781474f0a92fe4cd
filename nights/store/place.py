"""The address of a store, as people write it: a folder, or ``s3://BUCKET/PREFIX?endpoint=URL``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from history.errors import ConfigError
from nights.store.folder import FolderStore
from nights.store.store import Store

S3 = "s3://"


def open_store(address: str, root: Path = Path()) -> Store:
    """Return the store at ``address``; a relative folder counts from ``root``. Nothing is asked of it yet.

    Raises:
        ConfigError: the address is none.
        NightsError: a bucket's credentials or endpoint cannot be used.

    """
    if "@" in address and "://" in address:
        raise ConfigError("nights in an address with @: credentials do not belong into it; leave them to the environment or a profile")
    if not address.startswith(S3):
        if "://" in address or not address:
            raise ConfigError(f"nights in {address!r}: expected a folder or s3://BUCKET/PREFIX; write one of these")
        return FolderStore((root / address).resolve())
    parts = urlsplit(address)
    options = parse_qs(parts.query, keep_blank_values=True)
    if not parts.netloc or set(options) - {"endpoint"}:
        raise ConfigError(f"nights in {address!r}: expected s3://BUCKET/PREFIX, or that with ?endpoint=URL; nothing else is known there")
    from nights.store.s3 import S3Store  # noqa: PLC0415 - boto3 is loaded only where a bucket is named

    return S3Store(parts.netloc, parts.path, next(iter(options.get("endpoint", ())), None))
