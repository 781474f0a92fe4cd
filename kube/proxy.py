"""Asking an HTTP endpoint through the API server: works wherever the API server is reached, and opens nothing to the outside."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus

import urllib3
from kubernetes.client.exceptions import ApiException

from history.errors import NoData
from kube.client import Platform, api_errors
from kube.connection.bounded_client import CONNECT_S
from kube.containers import SIDECARS
from kube.objects import Pod
from kube.permissions import Permission
from target.secrets.hiding import excerpt

READ_S = 5.0
MAYBE_OWN = {0, 502, 503, 504}  # no answer, or perhaps the API server's own
OWN_WORDS = ("error trying to reach service", '"kind":"status"')  # of the API server, in small letters


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and how long it took; 502 to 504 may be the API server's own."""

    status: int
    body: bytes
    seconds: float


def permissions(namespace: str) -> list[Permission]:
    """Return what asking a Service in ``namespace`` needs."""
    return [Permission("get", "services/proxy", namespace=namespace)]


def get(platform: Platform, namespace: str, service: str, path: str, **query: str) -> bytes | None:
    """Return the body of ``GET path`` of ``service`` (name:port); None: the Service answers 404.

    Raises:
        NoData: no answer, or another one than 200.

    """
    with api_errors(f"ask service {namespace}/{service}: {path}", NoData):
        answer = _ask(platform, f"/api/v1/namespaces/{namespace}/services/{service}", path, query)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise ApiException(status=answer.status, reason=excerpt(answer.body.decode(errors="replace"), 200))
        return answer.body


def ask_pod(platform: Platform, pod: Pod, port: int, path: str, **query: str) -> Answer:
    """Return what a pod answers to ``GET path``, whatever its status. Raises NoData: the API server does not answer."""
    name, namespace = pod.metadata.name, pod.metadata.namespace
    with api_errors(f"ask pod {namespace}/{name}: {path}", NoData):
        return _ask(platform, f"/api/v1/namespaces/{namespace}/pods/{name}:{port}", path, query)


def reaches(platform: Platform, pod: Pod, port: int, limit_s: float) -> bool:
    """Tell whether a pod answers ``GET /`` through the API server within ``limit_s`` (s), whatever it says.

    The API server says 502 to 504 in its own words when it cannot reach a pod; with other words, it is the pod that says so.
    """
    try:
        platform.core.connect_get_namespaced_pod_proxy_with_path(
            f"{pod.metadata.name}:{port}", pod.metadata.namespace, "", _request_timeout=(CONNECT_S, limit_s)
        )
    except ApiException as error:
        said = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body or ""
        return (error.status or 0) not in MAYBE_OWN or (bool(said) and not any(words in said.lower() for words in OWN_WORDS))
    except urllib3.exceptions.HTTPError:
        return False
    return True


def first_port(pod: Pod) -> int | None:
    """Return the first port that the containers of a pod name, a sidecar's last; None if they name none."""
    containers = sorted(pod.spec.containers, key=lambda one: one.name in SIDECARS)
    return next((int(port.container_port) for container in containers for port in container.ports or []), None)


def _ask(platform: Platform, thing: str, path: str, query: dict[str, str]) -> Answer:
    where = f"{thing}/proxy/{path.lstrip('/')}"
    request = platform.api.param_serialize("GET", where, query_params=list(query.items()), auth_settings=["BearerToken"])
    begun = time.monotonic()
    response = platform.api.call_api(*request, _request_timeout=(CONNECT_S, READ_S))
    body: bytes = response.read()
    return Answer(response.status, body, time.monotonic() - begun)
