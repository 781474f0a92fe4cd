"""A bucket as a store: any S3 server, by boto3, with bucket versioning demanded unless told otherwise."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError, NoCredentialsError, PartialCredentialsError

from workloads.storage.errors import ObjectDamaged, ObjectMissing, StorageError, StoreRefused, StoreUnavailable

_MISSING = ("NoSuchKey", "NoSuchVersion", "404")
_CREDENTIALS = ("AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "XAdminUserNotFound", "403")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID, _ULID_SINCE = re.compile(f"[{_CROCKFORD}]{{26}}"), datetime(2016, 1, 1, tzinfo=UTC)  # earlier times are no ULIDs
_ULID_AFTER = timedelta(hours=1)  # an id is made after the bytes were written (whose time is LastModified, in whole seconds)
_TIMEOUTS = {"connect_timeout": 2, "read_timeout": 10}  # seconds: an outage must be an error soon, not a hang


@dataclass(frozen=True, slots=True)
class Version:
    """One stored version of an object and when it was stored; ``deleted`` marks a delete marker, which has no content."""

    key: str
    version_id: str
    stored: datetime
    bytes: int
    newest: bool
    deleted: bool = False


class S3Store:
    """Objects of one bucket below a prefix."""

    def __init__(
        self, bucket: str, prefix: str = "", endpoint: str | None = None, region: str = "us-east-1", *, versioning: bool = True
    ) -> None:
        self.url = f"s3://{bucket}/{prefix}" + (f" at {endpoint}" if endpoint else "")
        self.address = f"s3://{bucket}/{prefix}?region={region}" + (f"&endpoint={endpoint}" if endpoint else "")  # as open_store takes it
        self.bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._versioning = versioning
        # path style: an endpoint given by address has no names below it; three attempts bridge a blip, not an outage
        config = Config(
            s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 3}, max_pool_connections=4, **_TIMEOUTS
        )
        # a session of its own: boto3's default one keeps the first credentials that it ever saw
        self._client: Any = boto3.session.Session().client("s3", endpoint_url=endpoint, region_name=region, config=config)

    def preflight(self) -> None:
        """Demand that the bucket exists, the credentials fit, and overwritten objects stay as versions."""
        with self._explained("read the settings of"):
            status = self._client.get_bucket_versioning(Bucket=self.bucket).get("Status", "never enabled")
        if self._versioning and status != "Enabled":
            raise StoreRefused(
                f"{self.url}: versioning of bucket {self.bucket} is {status}, expected Enabled, so that a damaged object can be restored; "
                f"enable it (python -m workloads.storage.bucket create does)"
            )

    def put(self, key: str, data: bytes) -> None:
        """Send one PUT; S3 shows the whole object or none of it."""
        with self._explained(f"store {key} in"):
            self._client.put_object(Bucket=self.bucket, Key=self._prefix + key, Body=data)

    def create(self, key: str, data: bytes) -> bool:
        """Send a conditional PUT: of several writers the server lets one through."""
        try:
            self._client.put_object(Bucket=self.bucket, Key=self._prefix + key, Body=data, IfNoneMatch="*")
        except ClientError as error:
            if _code(error) in ("PreconditionFailed", "ConditionalRequestConflict", "412"):
                return False
            raise self._explain(f"store {key} in", error) from error
        except BotoCoreError as error:
            raise self._explain(f"store {key} in", error) from error
        return True

    def get(self, key: str) -> bytes:
        """Return the newest version's content; boto3 compares it with the checksum that the server keeps, where there is one."""
        return self.get_version(key, None)

    def listing(self, prefix: str = "") -> list[str]:
        """List all keys, through every page."""
        with self._explained("list"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._prefix + prefix)
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return sorted(key[len(self._prefix) :] for key in keys)

    def delete(self, key: str) -> None:
        """Set a delete marker where versioning is on: older versions stay."""
        with self._explained(f"delete {key} from"):
            self._client.delete_object(Bucket=self.bucket, Key=self._prefix + key)

    def versions(self, key: str) -> list[Version]:
        """List all versions of one key and its delete markers, newest first, as the server lists them."""
        # a listing is newest first for each key, versions and marks apart; the sort is stable
        return sorted((v for v in self.every_version(key) if v.key == key), key=lambda v: (v.newest, v.stored), reverse=True)

    def every_version(self, prefix: str = "") -> list[Version]:
        """List all versions of all keys that start with ``prefix``, then all delete markers."""
        with self._explained(f"list the versions of {prefix or 'everything'} in"):
            pages = list(self._client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=self._prefix + prefix))
        kept = [self._version(v, deleted=False) for page in pages for v in page.get("Versions", ())]
        return kept + [self._version(v, deleted=True) for page in pages for v in page.get("DeleteMarkers", ())]

    def erase(self, version: Version) -> None:
        """Remove one version for good; its place is free."""
        with self._explained(f"erase {version.key} from"):
            self._client.delete_object(Bucket=self.bucket, Key=self._prefix + version.key, VersionId=version.version_id)

    def get_version(self, key: str, version_id: str | None) -> bytes:
        """Return the content of one version (None: the newest); raises ObjectMissing or ObjectDamaged."""
        chosen = {"VersionId": version_id} if version_id else {}
        with self._explained(f"read {key} from"):
            body: bytes = self._client.get_object(Bucket=self.bucket, Key=self._prefix + key, **chosen)["Body"].read()
        return body

    def copy_version(self, key: str, version_id: str) -> None:
        """Make an old version the newest one by a copy inside the server; every other version stays."""
        source = {"Bucket": self.bucket, "Key": self._prefix + key, "VersionId": version_id}
        with self._explained(f"restore {key} in"):
            self._client.copy_object(Bucket=self.bucket, Key=self._prefix + key, CopySource=source)

    def make_bucket(self) -> None:
        """Create the bucket if there is none, and enable versioning."""
        with self._explained("create"):
            try:
                self._client.create_bucket(Bucket=self.bucket)
            except ClientError as error:
                if _code(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise
            if self._versioning:
                self._client.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})

    def let_everybody_read(self) -> None:
        """Let clients without credentials read the objects of this bucket, and nothing else."""
        reading = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{self.bucket}/*"}
        with self._explained("open to readers"):
            self._client.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [reading]}))

    def _version(self, entry: Mapping[str, Any], *, deleted: bool) -> Version:
        key = entry["Key"][len(self._prefix) :]
        stored = stored_at(entry["VersionId"], entry["LastModified"])
        return Version(key, entry["VersionId"], stored, entry.get("Size", 0), bool(entry["IsLatest"]), deleted)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise self._explain(what, error) from error

    def _explain(self, what: str, error: Exception) -> StorageError:
        sentence = f"{self.url}: cannot {what} it: {error}"
        if isinstance(error, FlexibleChecksumError):
            return ObjectDamaged(sentence)
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return StoreRefused(f"{sentence}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        if not isinstance(error, ClientError):
            return StoreUnavailable(sentence)
        return self._explain_answer(sentence, _code(error))

    def _explain_answer(self, sentence: str, code: str) -> StorageError:
        if code in _MISSING:
            return ObjectMissing(sentence)
        if code in _CREDENTIALS:
            return StoreRefused(f"{sentence}; check the credentials and what they are allowed to do")
        if code in ("NoSuchBucket", "InvalidBucketName"):
            return StoreRefused(f"{sentence}; create the bucket (python -m workloads.storage.bucket create)")
        return StoreUnavailable(sentence)


def stored_at(version_id: str, modified: datetime) -> datetime:
    """Return when a version was stored.

    That is LastModified by S3's definition. On versitygw's folders that is when the version was superseded (measured with 1.8.0).
    But its ids are ULIDs, whose first ten characters are the milliseconds at which they were made.
    """
    if not _ULID.fullmatch(version_id):
        return modified
    ms = sum(_CROCKFORD.index(character) << 5 * place for place, character in enumerate(reversed(version_id[:10])))
    in_question = _ULID_SINCE.timestamp() < ms / 1000 <= (modified + _ULID_AFTER).timestamp()
    return datetime.fromtimestamp(ms / 1000, UTC) if in_question else modified


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
