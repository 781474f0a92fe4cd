"""Where a role that keeps objects has them: what faults of its data, and their evidence, must know of its server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, model_validator

from history.errors import ConfigError
from history.values import Written
from target.mistakes import refuse
from target.yaml_source import Keys

Part = TypeVar("Part")
EXAMPLE = "targets/staging.example.yaml shows it"


def _absolute(text: str) -> str:
    """Return a path of the server's container. Raises ValueError: it is not absolute, or leads upwards."""
    path = PurePosixPath(text)
    if not path.is_absolute() or ".." in path.parts or len(path.parts) < 2:
        raise ValueError(f"{text!r} is no folder of the server's container; write an absolute path: /data/objects")
    return str(path)


def _in_bucket(text: str) -> str:
    """Return ``bucket/prefix``. Raises ValueError: it is absolute, leads upwards, or has no prefix."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or len(path.parts) < 2:
        raise ValueError(f"{text!r} is no place in a bucket; write bucket/prefix: training/runs")
    return str(path)


Folder = Annotated[str, AfterValidator(_absolute)]
InBucket = Annotated[str, AfterValidator(_in_bucket)]
Key = Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$")]


class S3Access(Written):
    """How a client beside the server reaches it: plain HTTP on the pod's own loopback, path style, credentials of a Secret."""

    port: int = Field(gt=0, lt=65536)
    secret: Key  # its name, in the namespace of the role; the suite never reads it
    access_key: Key = "AWS_ACCESS_KEY_ID"  # its keys
    secret_key: Key = "AWS_SECRET_ACCESS_KEY"  # noqa: S105  a name
    region: Key = "us-east-1"


class Recorded(Written):
    """Files in a bucket, and the sealed record that lists them: JSON whose ``body.files`` has a ``sha256`` for each name."""

    folder: InBucket
    record: str = Field(pattern=r"^[^/]+$")  # a name in that folder


class ObjectStore(Written):
    """A server that keeps each object as a file of its own, at ``buckets/BUCKET/KEY`` of its container."""

    buckets: Folder
    kept: Folder  # on the same disk, where no client looks: originals of what a fault damages; made if it is not there
    checkpoints: InBucket | None = None  # in it, a folder for each job
    training_data: Recorded | None = None
    model: Recorded | None = None  # the weights that a replica fetches when it starts
    s3: S3Access | None = None

    @model_validator(mode="after")
    def _kept_apart(self) -> ObjectStore:
        refuse(type(self).__name__, self._loose_ends())
        return self

    def _loose_ends(self) -> Iterator[tuple[Keys, str]]:
        if PurePosixPath(self.kept).is_relative_to(self.buckets):
            yield ("kept",), f"{self.kept!r} is within buckets, where clients would see it; write a folder beside {self.buckets}"


def store_of(store: ObjectStore | None, role: str) -> ObjectStore:
    """Return what ``role`` says of its objects. Raises ConfigError: nothing."""
    return _said(store, role, "object_store", "where its objects lie")


def checkpoints_of(store: ObjectStore | None, role: str) -> str:
    """Return the folder on the server's disk that has a folder of checkpoints for each job. Raises ConfigError: the role says none."""
    found = store_of(store, role)
    return f"{found.buckets}/{_said(found.checkpoints, role, 'object_store.checkpoints', 'where the checkpoints of a job lie')}"


def training_data_of(store: ObjectStore | None, role: str) -> Recorded:
    """Return where the training data lie. Raises ConfigError: the role does not say."""
    return _said(store_of(store, role).training_data, role, "object_store.training_data", "where the training data and their record lie")


def model_of(store: ObjectStore | None, role: str) -> Recorded:
    """Return where the weights lie that replicas fetch. Raises ConfigError: the role does not say."""
    return _said(store_of(store, role).model, role, "object_store.model", "where the weights that replicas fetch and their record lie")


def access_of(store: ObjectStore | None, role: str) -> S3Access:
    """Return how a client reaches the server. Raises ConfigError: the role does not say."""
    return _said(store_of(store, role).s3, role, "object_store.s3", "how a client reaches its server")


def _said(part: Part | None, role: str, key: str, what: str) -> Part:
    if part is None:
        raise ConfigError(f"role {role} of the target file does not say {what}; add roles.{role}.{key} ({EXAMPLE})")
    return part
