"""Requests that end: bounded in time, repeated where the API server asks for patience or for a new credential.

kubernetes 37.0.1 has ``client_go_retries``: of reads only, up to ten times, and for as long as the server says.
"""

from __future__ import annotations

import re
import time
from typing import Any

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTResponse

from kube.connection.configuration import Configured

CONNECT_S, READ_S = 2.0, 10.0
LEAST_WAIT_S = 0.1
PATIENCE_S = 10.0  # spent waiting because the API server asks for it, per request
UNAUTHORIZED, TOO_MANY, IN_TROUBLE = 401, 429, 500
OTHERS = re.compile(r"/(pods|services)/[^/]+/(eviction|proxy)\b")
"""Where 429 and 401 may be a disruption budget's answer, or a pod's: whoever asks decides what follows."""
NO_LIST, LONGEST_EMPTY = re.compile(rb'"(items|resources|groups)":\s*null'), 1000  # bytes: a list of nothing is short
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)


class BoundedClient(client.ApiClient):
    """An API client whose requests end: 2 s to connect, 10 s to read, unless the caller says otherwise (a watch must)."""

    def call_api(  # the library's signature
        self,
        method: str,
        url: str,
        header_params: dict[str, str] | None = None,
        body: object = None,
        post_params: object = None,
        _request_timeout: object = None,
    ) -> RESTResponse:
        """Do as the library does, with a time limit. Raises ApiException, HTTPError."""
        headers = _repeatable(header_params, self.configuration)
        until_s = time.monotonic() + PATIENCE_S
        renewed = False
        while True:
            limit = _request_timeout or (CONNECT_S, READ_S)
            answer = super().call_api(method, url, headers, body, post_params, limit)
            wait_s = _asked_to_wait(answer, method)
            if OTHERS.search(url):
                return answer
            if wait_s is not None and time.monotonic() + wait_s <= until_s:
                answer.read()  # the connection is free for others then
                time.sleep(wait_s)
            elif not renewed and answer.status == UNAUTHORIZED and _renewed(self.configuration, headers):
                answer.read()
                renewed = True
            else:
                return answer

    def response_deserialize(self, response_data: RESTResponse, response_types_map: Any = None) -> Any:  # noqa: ANN401 - the library's signature
        """Do as the library does. Raises ApiException, also where 200 brings something else than was asked for: a page of a log-in, say."""
        try:
            return super().response_deserialize(_with_lists(response_data), response_types_map)
        except UNREADABLE as error:
            wrong = ApiException(status=0, reason=f"{response_data.status} with what is no answer of Kubernetes ({type(error).__name__})")
            raise wrong from error


def _with_lists(answer: RESTResponse) -> RESTResponse:
    """Return an answer in which a list without anything is none: Go writes null, which the library's models refuse."""
    if answer.data is not None and len(answer.data) < LONGEST_EMPTY:
        answer.data = NO_LIST.sub(rb'"\1":[]', answer.data)
    return answer


def _repeatable(headers: dict[str, str] | None, made: client.Configuration) -> Any:  # noqa: ANN401 - a mapping the library takes for a dict
    """Return ``headers`` and those of impersonation, whose groups stand in a header each."""
    if not isinstance(made, Configured) or not made.impersonation:
        return headers
    found = urllib3.HTTPHeaderDict(headers)
    for name, value in made.impersonation:
        found.add(name, value)
    return found


def _asked_to_wait(answer: RESTResponse, method: str) -> float | None:
    """Return for how long the API server asks for patience (s); None: it does not.

    One in trouble (500 and above) asks so, too, as kubectl knows; what was written may be done then, and only reading is repeated.
    """
    again = answer.status == TOO_MANY or (answer.status >= IN_TROUBLE and method == "GET")
    asked = (answer.headers or {}).get("Retry-After") if again else None
    try:
        return None if asked is None else max(LEAST_WAIT_S, urllib3.Retry().parse_retry_after(asked))
    except urllib3.exceptions.InvalidHeader:
        return None


def _renewed(made: client.Configuration, headers: Any) -> bool:  # noqa: ANN401 - as above
    """Put a new credential into ``headers`` if there is one; return whether there is."""
    if not isinstance(made, Configured) or not headers or not (before := headers.get("authorization")):
        return False
    made.credentials.refused(before)
    now = made.credentials.header()
    if now in {before, ""}:
        return False
    headers["authorization"] = now
    return True
