"""Buckets: ``python -m workloads.storage.bucket create URL…`` makes each one, with versioning, and does nothing where it is there."""

import argparse
import sys

from workloads.storage.errors import StoreRefused, StoreUnavailable
from workloads.storage.s3 import S3Store
from workloads.storage.store import once_available, open_store


def s3_store(url: str) -> S3Store:
    """Return the store of an s3:// address; raises StoreRefused for any other."""
    store = open_store(url)
    if not isinstance(store, S3Store):
        raise StoreRefused(f"store {url!r}: expected s3://bucket/prefix?endpoint=http://host:port")
    return store


def create(url: str, wait_s: float) -> None:
    """Make the bucket, trying for ``wait_s`` seconds while its server does not answer yet."""
    store = s3_store(url)

    def make() -> None:
        store.make_bucket()
        store.preflight()

    once_available(make, wait_s)


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when every bucket is there with versioning on, 2 if one is refused, 1 if a server did not answer."""
    parser = argparse.ArgumentParser(prog="python -m workloads.storage.bucket", description=__doc__)
    parser.add_argument("action", choices=["create"])
    parser.add_argument("urls", nargs="+", metavar="URL", help="s3://bucket?endpoint=http://host:port")
    parser.add_argument(
        "--wait", type=float, default=60, metavar="SECONDS", help="how long a server may take to answer (default: %(default)s)"
    )
    options = parser.parse_args(argv)
    try:
        for url in options.urls:
            create(url, options.wait)
            print(f"{url}: there, versioning enabled")
    except (StoreRefused, StoreUnavailable) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, StoreRefused) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
