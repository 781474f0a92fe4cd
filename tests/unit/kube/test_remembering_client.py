"""One look at a cluster: each question is sent once, and what would change something is never sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kubernetes.client.exceptions import ApiException

from kube.client import connect
from kube.connection.remembering_client import RememberingClient, asks_only
from kube.permissions import Permission, missing
from testing.platform.kube_api import Answer, KubeApi, failure, kube_api, write_target


def paths(api: KubeApi, method: str) -> list[str]:
    return [one.path for one in api.asked if one.method == method and "/version" not in one.path]


def test_who_asks_again_or_at_the_same_time_gets_the_same_answer(tmp_path: Path) -> None:
    with kube_api() as api:
        platform = connect(write_target(tmp_path, api.url), by=RememberingClient)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: platform.pods_in("llm", "a=b"), range(8)))
        assert found == [[]] * 8
        assert platform.pods_in("llm", "a=c") == []
        asked = [one.partition("&")[0] for one in paths(api, "GET")]
        assert asked == ["/api/v1/namespaces/llm/pods?labelSelector=a%3Db", "/api/v1/namespaces/llm/pods?labelSelector=a%3Dc"]


def test_each_right_is_asked_for_once(tmp_path: Path) -> None:
    with kube_api() as api:
        api.answer = lambda one: (
            Answer(201, {"spec": {}, "status": {"allowed": b'"delete"' not in one.body}}) if one.method == "POST" else None
        )
        platform = connect(write_target(tmp_path, api.url), by=RememberingClient)
        rights = [Permission("delete", "pods", namespace="llm"), Permission("get", "pods", namespace="llm")]
        for _ in range(3):
            assert missing(platform, rights) == rights[:1]
        assert len(paths(api, "POST")) == 2


def test_an_error_is_remembered_too(tmp_path: Path) -> None:
    with kube_api() as api:
        platform = connect(write_target(tmp_path, api.url), by=RememberingClient)
        api.answer = lambda _: failure(403, "no")
        for _ in range(2):
            with pytest.raises(ApiException) as refused:
                platform.pods_in("llm")
            assert refused.value.status == 403
        assert len(paths(api, "GET")) == 1


def test_nothing_that_would_change_the_cluster_is_sent(tmp_path: Path) -> None:
    with kube_api() as api:
        platform = connect(write_target(tmp_path, api.url), by=RememberingClient)
        with pytest.raises(ApiException, match="would change the cluster, so it was not sent"):
            platform.core.delete_namespaced_pod("p", "llm")
        with pytest.raises(ApiException):
            platform.core.create_namespaced_pod("llm", {})
        assert paths(api, "DELETE") + paths(api, "POST") == []


def test_dry_runs_change_nothing() -> None:
    assert asks_only("POST", "https://c/api/v1/namespaces/n/pods?dryRun=All")
    assert asks_only("POST", "https://c/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
    assert not asks_only("POST", "https://c/api/v1/namespaces/n/pods?dryRun=")
    assert not asks_only("PATCH", "https://c/api/v1/nodes/n?fieldManager=dryRun")
