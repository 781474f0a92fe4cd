"""The client of the standard library: its signature, pages of versions, and what it says of answers that are no success."""

from __future__ import annotations

import time
from typing import Any

import pytest

from faults.node_agent.node import Refused
from faults.node_agent.storage.beside import StorageFailed
from faults.node_agent.storage.s3 import Answer, Bucket

URL = "s3://examplebucket/a?endpoint=http://examplebucket.s3.amazonaws.com"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


def answering(monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> list[tuple[Any, ...]]:
    asked: list[tuple[Any, ...]] = []
    left = list(answers)

    def ask(_bucket: Bucket, *given: Any, **more: Any) -> Answer:
        asked.append((*given, more))
        return left.pop(0)

    monkeypatch.setattr(Bucket, "_ask", ask)
    return asked


def test_it_signs_as_the_example_of_the_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda *_: "20130524T000000Z")
    headers = {"host": "examplebucket.s3.amazonaws.com", "x-amz-content-sha256": EMPTY}
    signed = Bucket(URL)._signed("GET", "/", "lifecycle=", headers)
    assert signed["authorization"].endswith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")


def test_versions_come_through_every_page_without_other_keys_and_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    version = "<Version><Key>{}</Key><VersionId>{}</VersionId></Version>"
    mark = "<DeleteMarker><Key>a/data</Key><VersionId>0</VersionId></DeleteMarker>"
    more = "<IsTruncated>true</IsTruncated><NextKeyMarker>a/data</NextKeyMarker><NextVersionIdMarker>2</NextVersionIdMarker>"
    first = f"<L xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>{version.format('a/data', 2)}{mark}{more}</L>"
    second = f"<L>{version.format('a/data', 1)}{version.format('a/data.json', 9)}</L>"
    asked = answering(monkeypatch, Answer(200, first.encode()), Answer(200, second.encode()))
    assert list(Bucket(URL).versions("data")) == ["2", "1"]
    assert asked[1][2] == {"versions": "", "prefix": "a/data", "key-marker": "a/data", "version-id-marker": "2"}


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (Answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>"), Refused, "403 SignatureDoesNotMatch; check the bucket"),
        (Answer(200, b"<VersioningConfiguration/>"), Refused, "versioning of bucket examplebucket is never enabled"),
        (Answer(200, b"<V><Status>Suspended</Status></V>"), Refused, "is Suspended, expected Enabled"),
        (Answer(503, b"<Error><Code>SlowDown</Code></Error>"), StorageFailed, "cannot read the settings of it: 503 SlowDown"),
        (Answer(200, b"hello"), StorageFailed, "no XML"),
    ],
)
def test_a_bucket_that_cannot_be_restored_is_refused_before(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, error: type[Exception], said: str
) -> None:
    answering(monkeypatch, answer)
    with pytest.raises(error, match=said):
        Bucket(URL).preflight()


def test_an_error_that_comes_with_a_status_of_success_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, Answer(200, b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>"))
    with pytest.raises(StorageFailed, match="cannot restore data in it: 200 InternalError"):
        Bucket(URL).copy_version("data", "1")


@pytest.mark.parametrize("url", ["file:///data", "s3://bucket/data", "s3://bucket/data?endpoint=https://127.0.0.1:1"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="expected s3://bucket/prefix"):
        Bucket(url)


def test_a_server_that_is_away_is_said() -> None:
    with pytest.raises(StorageFailed, match="Connection refused"):
        Bucket("s3://bucket/data?endpoint=http://127.0.0.1:1").get("key")
