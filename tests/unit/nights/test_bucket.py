"""The bucket's answers as botocore's stub gives them: a real server stands in tests/integration/nights."""

from __future__ import annotations

import io

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from history.errors import NightsError
from nights.store.s3 import S3Store


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> S3Store:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return S3Store("nights", "/staging/")


def test_keys_stand_below_the_prefix(store: S3Store) -> None:
    with Stubber(store._client) as stub:
        stub.add_response("put_object", {}, {"Bucket": "nights", "Key": "staging/records/a.json", "Body": b"x"})
        stub.add_response(
            "list_objects_v2", {"Contents": [{"Key": "staging/records/a.json"}]}, {"Bucket": "nights", "Prefix": "staging/records/"}
        )
        body = StreamingBody(io.BytesIO(b"x"), 1)
        stub.add_response("get_object", {"Body": body}, {"Bucket": "nights", "Key": "staging/records/a.json"})
        stub.add_response("delete_object", {}, {"Bucket": "nights", "Key": "staging/records/a.json"})
        store.write("records/a.json", b"x")
        assert store.names("records") == ["records/a.json"]
        assert store.read("records/a.json") == b"x"
        store.delete("records/a.json")
        stub.assert_no_pending_responses()


def test_what_is_missing_is_none_and_what_is_refused_is_a_sentence(store: S3Store) -> None:
    with Stubber(store._client) as stub:
        stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
        stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
        stub.add_client_error("list_objects_v2", "NoSuchBucket", http_status_code=404)
        assert store.read("index.parquet") is None
        with pytest.raises(
            NightsError, match=r"s3://nights/staging: cannot read index.parquet .*AccessDenied.*look at its address, credentials"
        ):
            store.read("index.parquet")
        with pytest.raises(NightsError, match="NoSuchBucket"):
            store.names("records")
