"""A bucket as a client sees it, by signed requests of the standard library: get, put, older versions. Plain HTTP, path style.

The signature is AWS's version 4. Credentials come from the environment that AWS's own tools use.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import parse_qs, quote, urlsplit
from xml.etree import ElementTree

from faults.node_agent.node import Refused
from faults.node_agent.storage.beside import StorageFailed
from faults.node_agent.storage.records import digest

TIMEOUT_S = 10.0
NAMES = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
OUTAGE = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    body: bytes

    @property
    def code(self) -> str:
        """S3's name of the error; empty if there is none."""
        return _text(_tree(self.body), "Code") if self.body.lstrip().startswith(b"<") else ""


class Bucket:
    """Objects of one bucket below a prefix: ``s3://bucket/prefix?endpoint=http://host:port&region=name``."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.url, self.bucket, self._prefix = url, parts.netloc, f"{parts.path.strip('/')}/".lstrip("/")
        self._server = urlsplit(query.get("endpoint", ""))
        self._region = query.get("region", "us-east-1")
        self._key_id, self._secret = (os.environ.get(name, "") for name in NAMES)
        if parts.scheme != "s3" or self._server.scheme != "http" or not self._server.netloc:
            raise Refused(f"store {url!r}: expected s3://bucket/prefix?endpoint=http://host:port")

    def preflight(self) -> None:
        """Demand that overwritten objects stay as versions. Raises Refused: they do not, or it refuses; StorageFailed: an outage."""
        answer = self._ask("GET", "", {"versioning": ""})
        if 400 <= answer.status < OUTAGE:
            raise Refused(f"{self.url}: it answers {answer.status} {answer.code}; check the bucket, and the Secret under object_store.s3")
        status = _text(_tree(self._well("read the settings of", answer)), "Status") or "never enabled"
        if status != "Enabled":
            raise Refused(f"{self.url}: versioning of bucket {self.bucket} is {status}, expected Enabled, so that objects can be restored")

    def get(self, key: str, version: str = "", most: int | None = None) -> bytes:
        """Return the content of an object, or of one of its versions; of a longer one than ``most`` bytes, one byte more than that.

        Raises:
            StorageFailed: there is none, or the server does not work.

        """
        return self._well(f"read {key} from", self._ask("GET", key, {"versionId": version} if version else {}, most=most))

    def put(self, key: str, data: bytes) -> None:
        """Store an object. Raises StorageFailed."""
        self._well(f"store {key} in", self._ask("PUT", key, body=data))

    def copy_version(self, key: str, version: str) -> None:
        """Make an old version the newest one by a copy inside the server; every other version stays. Raises StorageFailed."""
        source = f"{quote(f'/{self.bucket}/{self._prefix}{key}')}?versionId={quote(version, safe='')}"
        answer = self._ask("PUT", key, source=source)
        if answer.code:  # an error may come with status 200, when the copy took long
            raise StorageFailed(f"{self.url}: cannot restore {key} in it: {answer.status} {answer.code}")
        self._well(f"restore {key} in", answer)

    def versions(self, key: str) -> Iterator[str]:
        """Yield the ids of an object's versions, newest first, without delete markers. Raises StorageFailed."""
        after: dict[str, str] = {}
        while True:
            page = _tree(self._well("list versions in", self._ask("GET", "", {"versions": "", "prefix": self._prefix + key, **after})))
            kept = [one for one in page if _tag(one) == "Version" and _text(one, "Key") == self._prefix + key]
            yield from (_text(one, "VersionId") for one in kept)
            if _text(page, "IsTruncated") != "true":
                return
            after = {"key-marker": _text(page, "NextKeyMarker"), "version-id-marker": _text(page, "NextVersionIdMarker")}

    def _well(self, what: str, answer: Answer) -> bytes:
        if answer.status >= 300:
            raise StorageFailed(f"{self.url}: cannot {what} it: {answer.status} {answer.code}")
        return answer.body

    def _ask(
        self, method: str, key: str, query: dict[str, str] | None = None, body: bytes = b"", source: str = "", *, most: int | None = None
    ) -> Answer:
        path = quote(f"/{self.bucket}/{self._prefix}{key}" if key else f"/{self.bucket}")
        asked = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted((query or {}).items()))
        headers = {"host": self._server.netloc, "x-amz-content-sha256": digest(body)}
        headers |= {"x-amz-copy-source": source} if source else {}
        try:
            connection = HTTPConnection(self._server.netloc, timeout=TIMEOUT_S)
            try:
                connection.request(method, f"{path}?{asked}" if asked else path, body, self._signed(method, path, asked, headers))
                answer = connection.getresponse()
                return Answer(answer.status, answer.read(None if most is None else most + 1))
            finally:
                connection.close()
        except (OSError, HTTPException) as error:
            raise StorageFailed(f"{self.url}: {method} {path}: {type(error).__name__} {error}") from error

    def _signed(self, method: str, path: str, query: str, headers: dict[str, str]) -> dict[str, str]:
        """Return the headers with date and signature."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = dict(sorted({**headers, "x-amz-date": now}.items()))
        names = ";".join(headers)
        canonical = "\n".join([method, path, query, *(f"{name}:{value}" for name, value in headers.items()), "", names])
        request = f"{canonical}\n{headers['x-amz-content-sha256']}"
        scope = f"{now[:8]}/{self._region}/s3/aws4_request"
        key = f"AWS4{self._secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        said = f"AWS4-HMAC-SHA256 Credential={self._key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**headers, "authorization": said}


def _tree(body: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(body)  # noqa: S314  the server's own answer, on the pod's loopback
    except ElementTree.ParseError as error:
        raise StorageFailed(f"the server's answer is no XML: {error} in {body[:200]!r}") from error


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ElementTree.Element, tag: str) -> str:
    """Return the text of the first child of that name; empty if there is none."""
    return next((child.text or "" for child in element if _tag(child) == tag), "")
