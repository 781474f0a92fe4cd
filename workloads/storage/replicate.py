"""Replication of a bucket to another one by rclone, checked by inventory.

    python -m workloads.storage.replicate --source s3://bucket/prefix?endpoint=http://one:port --replica s3://bucket/prefix?endpoint=http://other:port

rclone copies (``rclone sync``, by descending name, so that what others speak of goes before them: the shards of a checkpoint, its manifest,
then latest.json; times in listings are too coarse for that). This module only runs it, measures how long it takes, and then reads both
stores: keys, sizes, SHA-256 of all bytes, and lag.
What a client deleted or overwrote in the source is deleted or overwritten in the replica, too; the older versions stay there, as the
replica's bucket has versioning. Bytes damaged on the source's disk are not copied over good ones: the listing shows the same checksum.

    --check           copy nothing, only compare
    --every SECONDS   replicate again and again (until SIGTERM)

Exit code 0: the replica holds what the source holds; 1: it does not, or a copy failed; 2: refused before anything was touched.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from statistics import median
from urllib.parse import parse_qs, urlsplit

from workloads.storage.bucket import s3_store
from workloads.storage.errors import StorageError, StoreRefused, StoreUnavailable
from workloads.storage.inventory import Comparison, compare, take

_FLAGS = ("--checksum", "--order-by", "name,descending", "--check-first", "--transfers", "1", "--retries", "1")
_TIMES = ("--contimeout", "2s", "--timeout", "10s", "--low-level-retries", "2", "--s3-no-check-bucket")


@dataclass(frozen=True, slots=True)
class Copied:
    """One run of rclone: seconds, and the bytes and objects that it says it transferred."""

    seconds: float
    bytes: int
    objects: int

    @property
    def mb_per_s(self) -> float:
        """Megabytes (10⁶ bytes) a second."""
        return self.bytes / self.seconds / 1e6 if self.seconds else 0.0


def rclone() -> str:
    """Return rclone's path; raises StoreRefused where it is not installed."""
    found = shutil.which("rclone")
    if found is None:
        raise StoreRefused("rclone is not on PATH; install it (Debian: apt-get install rclone)")
    return found


def copy(source: str, replica: str, only: str = "") -> Copied:
    """Let rclone make the replica what the source is, or copy ``only`` one key, even if it looks the same by its checksum.

    Raises StoreRefused where rclone is missing, StoreUnavailable if it fails.
    """
    what = ["copyto", "--ignore-times"] if only else ["sync", *_FLAGS]
    argv = [rclone(), *what, *(_remote(name, url, only) for name, url in (("SOURCE", source), ("REPLICA", replica))), *_TIMES]
    argv += ["--use-json-log", "--stats", "1h", "--stats-log-level", "NOTICE", "--config", os.devnull]
    environment = os.environ | _configured("SOURCE", source) | _configured("REPLICA", replica)
    if authorities := environment.pop("AWS_CA_BUNDLE", ""):  # rclone 1.60 refuses AWS's variable, and has this option for it
        argv += ["--ca-cert", authorities]
    begun = time.monotonic()
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    if done.returncode:
        said = [line["msg"] for line in lines if line.get("level") in ("error", "fatal")] or [done.stderr[-300:]]
        raise StoreUnavailable(f"rclone from {source} to {replica} ended with {done.returncode}: {said[-1].strip()}; try again")
    stats: dict[str, int] = next((line["stats"] for line in reversed(lines) if "stats" in line), {})
    return Copied(time.monotonic() - begun, stats.get("bytes", 0), stats.get("transfers", 0))


def _remote(name: str, url: str, key: str) -> str:
    parts = urlsplit(url)
    return f"{name}:{parts.netloc}{parts.path}".rstrip("/") + (f"/{key}" if key else "")


def _configured(name: str, url: str) -> dict[str, str]:
    """Return rclone's settings of a remote as variables; the keys are AWS's environment variables, as for every store here."""
    query = {key: values[-1] for key, values in parse_qs(urlsplit(url).query).items()}
    given = {"TYPE": "s3", "ENV_AUTH": "true", "PROVIDER": "Other" if "endpoint" in query else "AWS", "FORCE_PATH_STYLE": "true"}
    given |= {"REGION": query.get("region", "us-east-1")} | ({"ENDPOINT": query["endpoint"]} if "endpoint" in query else {})
    return {f"RCLONE_CONFIG_{name}_{key}": value for key, value in given.items()}


def check(source: str, replica: str) -> Comparison:
    """Compare two buckets by reading both; raises StorageError as the stores do."""
    return compare(take(s3_store(source)), take(s3_store(replica)))


def sentence(found: Comparison) -> str:
    """Say what a comparison showed."""
    lags = f"lag {median(found.lags_s):.1f} s at the median, {found.lags_s[-1]:.1f} s at most" if found.lags_s else "no lag known"
    state = "the same" if found.equal else f"missing {len(found.missing)}, differing {len(found.differing)}, extra {len(found.extra)}"
    named = ", ".join((*found.missing, *found.differing, *found.extra)[:3])
    shown = f"{state} ({named})" if named else state
    return f"{found.objects} objects, {found.bytes} bytes: {shown}; RPO of the replica {found.rpo_s:.1f} s; {lags}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workloads.storage.replicate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("source", "replica"):
        parser.add_argument(f"--{name}", required=True, metavar="URL", help="s3://bucket/prefix?endpoint=http://host:port")
    parser.add_argument("--check", action="store_true", help="copy nothing, only compare")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="replicate again and again")
    parser.add_argument("--json", action="store_true", help="the outcome as one JSON document")
    return parser


def _once(options: argparse.Namespace) -> bool:
    copied = None if options.check else copy(options.source, options.replica)
    found = check(options.source, options.replica)
    if options.json:
        print(json.dumps({"copied": asdict(copied) if copied else None, "found": asdict(found)}, default=str), flush=True)
        return found.equal
    if copied:
        print(f"copied {copied.objects} objects, {copied.bytes} bytes in {copied.seconds:.1f} s ({copied.mb_per_s:.1f} MB/s)")
    print(sentence(found), flush=True)
    return found.equal


def main(argv: list[str] | None = None) -> int:
    """Replicate and compare, once or again and again."""
    options = _parser().parse_args(argv)
    try:
        for url in (options.source, options.replica):
            s3_store(url).preflight()
        equal = _once(options)
        while options.every:
            time.sleep(options.every)
            equal = _once(options)
    except StorageError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, StoreRefused) else 1
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
