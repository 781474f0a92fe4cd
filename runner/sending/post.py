"""One POST of JSON, bounded in time as a whole. What goes wrong is one sentence, which shows no more of an address than its host."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from http.client import HTTPException
from urllib.parse import urlsplit

import requests
import urllib3

from history.errors import AftershockError
from target.secrets.hiding import excerpt

LIMIT_S = 10.0
MOST_BYTES = 4096
"""Of an answer that are read."""
SHOWN = 200
_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError)


class NotSent(AftershockError):
    """Something was not told; the sentence says who is at fault."""


def post(who: str, url: str, body: object, headers: Mapping[str, str], limit_s: float = LIMIT_S) -> None:
    """Send ``body`` as JSON to ``url``, to be accepted within ``limit_s`` seconds. ``who`` is what the sentence calls the receiver.

    Raises:
        NotSent: nobody answered in time, or not with a status of 200 to 299. Redirects are not followed.

    """
    where = f"{who} at {urlsplit(url).netloc}"
    heard: queue.Queue[tuple[int, bytes, str] | Exception] = queue.Queue()
    threading.Thread(target=_ask, args=(url, body, headers, limit_s, heard), daemon=True).start()
    try:
        answer = heard.get(timeout=limit_s)
    except queue.Empty:
        raise NotSent(f"{where} did not answer within {limit_s:g} s; is it up, and reachable from this machine?") from None
    if isinstance(answer, Exception):
        raise NotSent(f"{where} {_meaning(answer, limit_s)}") from None  # its text may show the address and headers
    status, said, location = answer
    if 300 <= status < 400:
        leads_to = urlsplit(location).netloc or "elsewhere"
        raise NotSent(f"{where} answers HTTP {status}, which leads to {leads_to} and is not followed; name the address that it leads to")
    if not 200 <= status < 300:
        words = " ".join(excerpt(said.decode(errors="replace"), SHOWN).split())
        raise NotSent(f"{where} answers HTTP {status}{f': {words}' if words else ''}; see its address, and what lets the suite in")


def _ask(
    url: str, body: object, headers: Mapping[str, str], limit_s: float, heard: queue.Queue[tuple[int, bytes, str] | Exception]
) -> None:
    """Ask in a thread of its own: a time limit of the client is one between two bytes, not one of the whole."""
    try:
        with requests.post(
            url, json=body, headers=dict(headers), timeout=limit_s, allow_redirects=False, stream=True, auth=_as_it_is
        ) as answer:
            said = b"" if answer.ok else answer.raw.read(MOST_BYTES, decode_content=True)
            heard.put((answer.status_code, said, answer.headers.get("Location", "")))
    except _ERRORS as error:
        heard.put(error)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Change nothing: where a request has an auth, no ~/.netrc overrides its headers."""
    return request


def _meaning(error: Exception, limit_s: float) -> str:
    if isinstance(error, requests.Timeout):
        return f"did not answer within {limit_s:g} s; is it up, and reachable from this machine?"
    if isinstance(error, ValueError) and not isinstance(error, requests.exceptions.InvalidURL):
        return "was not asked: a header, or the address, has a character that none may have"
    return f"is not reached: {_reason(error)}; is it up, and reachable from this machine?"


def _reason(error: BaseException) -> str:
    """Return what the operating system says, or else the kind of error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
