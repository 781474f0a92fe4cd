"""A question to the Prometheus of a region: one HTTP request, at most 3 s between two bytes of its answer.

Thanos, Mimir, Cortex and VictoriaMetrics speak the same API. prometheus-api-client asks. It hands on the result alone, without its kind
and without the warnings that say that a part of it is missing; so what it heard is read here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import requests
import urllib3
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.auth import AuthBase, HTTPBasicAuth

from history.errors import NoData
from probes.prometheus import blame
from probes.prometheus.answer import Answer, Unanswered, answer_of
from target.prometheus import Auth, Prometheus, value_of
from target.region import Region

TIMEOUT_S = 3


def ask(region: Region, promql: str) -> Answer:
    """Return what Prometheus answers to an instant query.

    Raises:
        NoData: the target names no Prometheus; or the question is wrong, or the answer is of a part of the data alone, in its own words.
        Unanswered: it gives no answer at all; the sentence names who is at fault.

    """
    declared, where = declared_of(region)
    heard = _asked(declared, where, lambda: _heard(declared, promql))
    if said := blame.of_status(heard):
        raise Unanswered(f"{where} {said}")
    return answer_of(heard, where, promql)


def get(region: Region, path: str, **params: str | Sequence[str]) -> requests.Response:
    """Return what Prometheus answers to ``GET /api/v1/<path>``, whatever its status. Raises NoData and Unanswered as :func:`ask`."""
    declared, where = declared_of(region)

    def answered() -> requests.Response:
        with _session(declared) as session:
            url, headers = f"{_base(declared)}/api/v1/{path}", _headers(declared)
            auth = _auth(declared.auth)
            return session.get(url, params=params, headers=headers, auth=auth, timeout=TIMEOUT_S, allow_redirects=False)

    return _asked(declared, where, answered)


def declared_of(region: Region) -> tuple[Prometheus, str]:
    """Return the Prometheus of ``region``, and how sentences begin about it. Raises NoData: the target names none."""
    if region.prometheus is None:
        raise NoData("Prometheus: the target file names none; add prometheus to the region")
    return region.prometheus, f"Prometheus at {region.prometheus.url}"


def _asked(declared: Prometheus, where: str, question: Callable[[], requests.Response]) -> requests.Response:
    """Return what was heard. Raises Unanswered: nothing, and who is at fault."""
    try:
        return question()
    except requests.exceptions.InvalidHeader:  # its text shows the value
        said = "a header has a value that no header may have, such as a line break; correct its headers in the target file"
        raise Unanswered(f"{where} was not asked: {said}") from None
    except (requests.RequestException, OSError) as error:
        raise Unanswered(f"{where} {blame.of_error(error, declared)}") from error


def _heard(declared: Prometheus, promql: str) -> requests.Response:
    """Return the answer as it came, whatever it is. Raises OSError: a file is not read; requests' errors: nothing came."""
    heard: list[requests.Response] = []
    session = _session(declared)
    session.hooks["response"].append(lambda answer, **_: heard.append(answer))
    once = urllib3.Retry(0, read=False)  # the client's own three retries would outlast what they measure
    url, headers, auth = _base(declared), _headers(declared), _auth(declared.auth)
    asked = PrometheusConnect(url, headers=headers, session=session, auth=auth, retry=once, timeout=TIMEOUT_S)
    with asked:
        try:
            asked.custom_query(promql)
        except (requests.RequestException, PrometheusApiClientException, LookupError, TypeError, ValueError):
            if not heard:  # else what it makes of the answer is not looked at
                raise
    return heard[0]


def _session(declared: Prometheus) -> requests.Session:
    session = requests.Session()
    session.max_redirects = 0  # who redirects is told so; nobody else gets the question
    session.verify = declared.ca_file or True
    if declared.auth is not None and (shown := declared.auth.client_cert):
        session.cert = (shown.cert, shown.key)
    return session


def _base(declared: Prometheus) -> str:
    return declared.url.rstrip("/").removesuffix("/api/v1")


def _headers(declared: Prometheus) -> dict[str, str]:
    return {name: header.value or value_of(header.env or "", os.environ) for name, header in declared.headers.items()}


class Bearer(AuthBase):
    """Sends a token. As the request's auth, no ~/.netrc overrides it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token to a request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _auth(declared: Auth | None) -> AuthBase | None:
    if declared is None:
        return None
    if declared.basic_env is not None:
        user, _, password = value_of(declared.basic_env, os.environ).partition(":")
        return HTTPBasicAuth(user, password)
    if declared.token_file is not None:
        return Bearer(Path(declared.token_file).read_text().strip())  # each time anew: it may have been rotated
    return Bearer(value_of(declared.bearer_env, os.environ)) if declared.bearer_env is not None else None
