"""A bucket as a store, by boto3: any S3 server. A PUT is whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from history.errors import NightsError

_MISSING = ("NoSuchKey", "404")
_BOUNDS = {"connect_timeout": 3, "read_timeout": 20}  # seconds: a bucket out of reach is an error soon, not a hang


class S3Store:
    """Pieces as objects of ``bucket`` below ``prefix``; credentials and region are boto3's own business (environment, files, roles)."""

    def __init__(self, bucket: str, prefix: str, endpoint: str | None = None) -> None:
        self._bucket, self._prefix = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._place = f"s3://{bucket}/{prefix.strip('/')}" + (f"?endpoint={endpoint}" if endpoint else "")
        style = {"addressing_style": "path"} if endpoint else {}  # an endpoint given by address has no names below it
        config = Config(s3=style, retries={"mode": "standard", "max_attempts": 3}, **_BOUNDS)
        with self._explained("open"):
            self._client: Any = boto3.session.Session().client("s3", endpoint_url=endpoint, config=config)

    @property
    def place(self) -> str:
        """Return bucket and prefix as an address."""
        return self._place

    def names(self, below: str) -> list[str]:
        """Return the keys below, through every page."""
        prefix = f"{self._prefix}{below}/"
        with self._explained("list"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return sorted(entry["Key"][len(self._prefix) :] for page in pages for entry in page.get("Contents", ()))

    def read(self, name: str) -> bytes | None:
        """Return an object's content."""
        with self._explained(f"read {name} in"):
            try:
                content: bytes = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"].read()
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in _MISSING:
                    return None
                raise
            return content

    def write(self, name: str, content: bytes) -> None:
        """Send one PUT."""
        with self._explained(f"write {name} in"):
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content)

    def delete(self, name: str) -> None:
        """Delete an object; where the bucket keeps versions, they stay."""
        with self._explained(f"delete {name} in"):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no address
            raise NightsError(
                f"nights in {self._place}: cannot {what} this bucket ({error}); look at its address, "
                "credentials (AWS_* or ~/.aws) and network"
            ) from error
