"""Asking a Service's HTTP endpoint through the API server: works wherever the API server is reached, and opens nothing to the outside."""

from __future__ import annotations

from http import HTTPStatus

from kubernetes.client.exceptions import ApiException

from history.errors import NoData
from kube.clients import CONNECT_S, Platform, told
from kube.fault import Permission

READ_S = 5.0


def permissions(namespace: str) -> list[Permission]:
    """Return what asking a Service in ``namespace`` needs."""
    return [Permission("get", "services/proxy", namespace=namespace)]


def get(platform: Platform, namespace: str, service: str, path: str, **query: str) -> bytes | None:
    """Return the body of ``GET path`` of ``service`` (name:port); None: the Service answers 404.

    Raises:
        NoData: no answer, or another one than 200.

    """
    where = f"/api/v1/namespaces/{namespace}/services/{service}/proxy/{path.lstrip('/')}"
    request = platform.api.param_serialize("GET", where, query_params=list(query.items()), auth_settings=["BearerToken"])
    with told(f"ask service {namespace}/{service}: {path}", NoData):
        response = platform.api.call_api(*request, _request_timeout=(CONNECT_S, READ_S))
        body: bytes = response.read()  # type: ignore[no-untyped-call]  # of the library
        if response.status == HTTPStatus.NOT_FOUND:
            return None
        if response.status != HTTPStatus.OK:
            raise ApiException(status=response.status, reason=body[:200].decode(errors="replace"))
        return body
