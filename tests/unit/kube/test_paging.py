"""Lists in pages: whole, of one moment, begun anew where their pages expired; metadata alone where that is enough."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from kube.client import connect
from kube.lists import paging
from testing.platform.kube_api import Answer, Asked, kube_api, write_target


class Server:
    """A list function of the client: ``things`` in pages, with a version that rises with every list that is begun."""

    def __init__(self, count: int, expires: int = 0) -> None:
        self.things = [SimpleNamespace(metadata=SimpleNamespace(name=f"thing-{number}")) for number in range(count)]
        self.asked: list[dict[str, Any]] = []
        self.expires, self.version = expires, 0  # how many second pages are gone

    def __call__(self, *arguments: str, limit: int, _continue: str = "", **options: Any) -> Any:
        self.asked.append({"arguments": arguments, "limit": limit, "continue": _continue, **options})
        if _continue and self.expires:
            self.expires -= 1
            raise ApiException(status=410, reason="Expired")
        self.version += not _continue
        begin = int(_continue or 0)
        end = begin + limit
        meta = SimpleNamespace(var_continue=str(end) if end < len(self.things) else None, resource_version=str(self.version))
        return SimpleNamespace(items=self.things[begin:end], metadata=meta)


def test_a_list_is_asked_for_in_pages_with_its_selectors() -> None:
    server = Server(120)
    found = paging.listed(server, "llm", label_selector="app=x")
    assert found.items == server.things
    assert found.version == "1"
    assert [(one["arguments"], one["limit"], one["continue"], one["label_selector"]) for one in server.asked] == [
        (("llm",), paging.PAGE, token, "app=x") for token in ("", "50", "100")
    ]


def test_an_empty_list_is_one_request() -> None:
    server = Server(0)
    assert paging.listed(server).items == []
    assert len(server.asked) == 1


def test_a_list_whose_pages_expired_is_begun_anew_and_holds_each_thing_once() -> None:
    server = Server(120, expires=1)
    found = paging.listed(server)
    assert found.items == server.things
    assert found.version == "2"


def test_a_list_that_always_expires_is_an_error() -> None:
    server = Server(120, expires=9)
    with pytest.raises(ApiException) as error:
        paging.listed(server)
    assert error.value.status == 410
    assert server.version == paging.TRIES


def test_another_refusal_is_not_asked_again() -> None:
    def refused(**_: object) -> None:
        raise ApiException(status=403, reason="Forbidden")

    with pytest.raises(ApiException, match="Forbidden"):
        paging.listed(refused)


def test_custom_resources_have_pages_too() -> None:
    pages = {"": {"items": [1, 2], "metadata": {"continue": "x"}}, "x": {"items": [3], "metadata": {}}}
    assert paging.listed(lambda _continue="", **_: pages[_continue]).items == [1, 2, 3]


def test_metadata_alone_is_asked_for_in_larger_pages_by_the_accept_header() -> None:
    server = Server(300)
    assert paging.metadata(server, field_selector="spec.nodeName=a") == server.things
    assert [one["limit"] for one in server.asked] == [paging.METADATA_PAGE] * 2
    assert all(one["_headers"]["Accept"].startswith("application/json;as=PartialObjectMetadataList") for one in server.asked)
    assert server.asked[0]["_headers"] is not server.asked[1]["_headers"]  # the client adds to them


@pytest.mark.parametrize(("count", "there"), [(0, False), (3, True)])
def test_whether_there_is_any_takes_one_object(count: int, there: bool) -> None:
    server = Server(count)
    assert paging.any_there(server, label_selector="x") is there
    assert [one["limit"] for one in server.asked] == [1]


def test_any_there_looks_past_a_page_that_a_server_left_empty() -> None:
    first = SimpleNamespace(items=[], metadata=SimpleNamespace(var_continue="more"))
    second = SimpleNamespace(items=[1], metadata=SimpleNamespace(var_continue=None))
    assert paging.any_there(lambda _continue="", **_: second if _continue else first)


def test_the_version_of_now_takes_no_list() -> None:
    server = Server(120)
    assert paging.version_now(server) == "1"
    assert [one["limit"] for one in server.asked] == [1]


EVENT = {"metadata": {"name": "e", "namespace": "llm"}, "involvedObject": {"kind": "Pod", "name": "p"}, "reason": "Killing"}
SLICE = {"metadata": {"name": "s", "namespace": "llm"}, "addressType": "IPv4", "endpoints": []}


@pytest.mark.parametrize(("path", "whole", "lister"), [("events", EVENT, "events"), ("endpointslices", SLICE, "slices")])
def test_kinds_that_are_nothing_without_more_than_metadata_are_asked_for_whole(
    path: str, whole: dict[str, Any], lister: str, tmp_path: Path
) -> None:
    def answer(asked: Asked) -> Answer | None:
        if not asked.path.split("?")[0].endswith(f"/{path}"):
            return None
        metadata_only = any("PartialObjectMetadata" in value for value in asked.values("Accept"))
        item = {"metadata": whole["metadata"]} if metadata_only else whole
        return Answer(200, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "41"}, "items": [item]})

    with kube_api() as api:
        api.answer = answer
        platform = connect(write_target(tmp_path, api.url))
        listers = {"events": platform.core.list_namespaced_event, "slices": platform.discovery.list_namespaced_endpoint_slice}
        assert paging.any_there(listers[lister], "llm")
        assert paging.version_now(listers[lister], "llm") == "41"
        assert len(paging.listed(listers[lister], "llm").items) == 1
