"""Put the model into object stores, from which replicas fetch it: ``python -m workloads.inference.publish URL…``.

A URL is ``s3://bucket/prefix?endpoint=http://host:port``. The bucket is made where there is none, keeps versions, and may be read by
anybody who reaches the server: a replica needs no credentials. Beside the weights stands a sealed record of their digest, by which an
operator, or a restore, knows the good version; no replica believes it. What is there already is left as it is.
"""

import argparse
import sys
from pathlib import Path

from workloads.inference import weights
from workloads.storage.bucket import create, s3_store
from workloads.storage.errors import ObjectDamaged, ObjectMissing, StorageError, StoreRefused
from workloads.storage.s3 import S3Store
from workloads.storage.sealed import digest, seal

KIND, VERSION, RECORD = "aftershock.model", 1, "record.json"


def publish(url: str, folder: Path = weights.SHIPPED, wait_s: float = 60.0) -> None:
    """Have the verified weights of ``folder`` and their sealed record at ``url``; a server may take ``wait_s`` seconds to answer.

    Raises:
        WeightsRefused: those in ``folder`` are not what was recorded.
        StorageError: the store does not take them.

    """
    path, record = weights.verified(folder)
    content = path.read_bytes()
    files = {weights.WEIGHTS_FILE: {"sha256": record.sha256, "bytes": len(content)}}
    create(url, wait_s)
    store = s3_store(url)
    store.let_everybody_read()
    for key, data in ((weights.WEIGHTS_FILE, content), (RECORD, seal(KIND, VERSION, {"files": files}))):
        if not _holds(store, key, data):
            store.put(key, data)


def _holds(store: S3Store, key: str, data: bytes) -> bool:
    try:
        return digest(store.get(key)) == digest(data)
    except (ObjectMissing, ObjectDamaged):
        return False


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when every store has the model, 2 if one refuses or the model is not what was recorded, 1 if one did not answer."""
    parser = argparse.ArgumentParser(prog="python -m workloads.inference.publish", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("urls", nargs="+", metavar="URL", help="s3://bucket/prefix?endpoint=http://host:port")
    try:
        for url in parser.parse_args(argv).urls:
            publish(url)
            print(f"{url}: the model is there")
    except (StorageError, weights.WeightsRefused) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, StoreRefused | weights.WeightsRefused) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
